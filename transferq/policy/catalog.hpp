// The models transferq knows by name, and where they lie in the user's cache. Any other GGUF file
// is given by its path.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tq {

struct CatalogEntry {
  std::string_view name;
  std::string_view file;
  std::uint64_t bytes;
  std::string_view sha256;  // "" for a conversion, whose bytes depend on the engine's version
  std::string_view license;
  std::string_view source;     // where the file comes from
  std::string_view made_from;  // the entry it is a conversion of, or ""
  std::string_view type;       // weight type of the conversion, as convert_model() takes it
};

std::span<const CatalogEntry> catalog();

// The command that puts the model into the models folder.
std::string_view how_to_get(const CatalogEntry& entry);

// $TQ_MODELS_DIR, or transferq/models in the user's cache folder ($XDG_CACHE_HOME or ~/.cache).
std::filesystem::path models_folder();

// What to call a model by on the command line: the name of the entry whose file this is, or the
// file's own name where the catalog has none.
std::string catalog_name(std::string_view file);

// The other entries that are the same model in other weight types, conversions of one another, and
// lie in the models folder. None for a file that the catalog does not have.
std::vector<CatalogEntry> other_weights(std::string_view file);

// The path of a regular file as it is, or the file for a name of the catalog. Throws Error (usage)
// for a name that is neither (the nearest one is offered) and Error (model) for a known model that
// is not there yet, saying how to get it.
std::filesystem::path find_model(std::string_view name_or_path);

}  // namespace tq
