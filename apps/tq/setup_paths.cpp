#include "setup_paths.hpp"

#include <set>
#include <sstream>

#include "transferq/core/error.hpp"
#include "transferq/core/spec.hpp"
#include "transferq/reward/reward_list.hpp"

namespace tq::app {
namespace {

namespace fs = std::filesystem;

const std::set<std::string> kFiles{"lora", "control", "head", "rank"};
const std::set<std::string> kLists{"model", "implicit", "reference", "sum",      "product",
                                   "clip",  "sign",     "scale",     "normalise"};

std::set<std::string> all_keys() {
  std::set<std::string> keys{"system", "lora", "lora-scale", "control", "control-scale"};
  for (const RewardKind& kind : reward_kinds()) {
    keys.insert(kind.names.begin(), kind.names.end());
    keys.insert(kind.options.begin(), kind.options.end());
  }
  return keys;
}

std::string lists_beside(const std::string& value, const fs::path& folder) {
  if (value.rfind('{', 0) != 0) return list_beside(value, folder);
  std::string out;
  for (const std::string& list : inner_lists(value)) {
    out += (out.empty() ? "{" : " {") + list_beside(list, folder) + "}";
  }
  return out;
}

std::string value_beside(const Spec& spec, const std::string& key, const fs::path& folder) {
  const std::string value = spec.get(key);
  // A system prompt is text, whatever it begins with.
  if (key != "system" && value.rfind('@', 0) == 0)
    return '@' + file_beside(value.substr(1), folder);
  if (kFiles.count(key) > 0) return file_beside(value, folder);
  if (kLists.count(key) > 0 && !spec.has("http")) return lists_beside(value, folder);
  return value;
}

}  // namespace

std::string file_beside(const std::string& value, const fs::path& folder) {
  std::error_code none;
  const fs::path path = folder / value;  // the value itself, where it is absolute
  return !value.empty() && fs::is_regular_file(path, none) ? path.string() : value;
}

std::string files_beside(const std::string& values, const fs::path& folder) {
  std::string out;
  std::istringstream files(values);
  for (std::string file; std::getline(files, file, ',');) {
    if (!out.empty()) out += ',';
    out += file_beside(file, folder);
  }
  return out;
}

std::string list_beside(const std::string& list, const fs::path& folder) {
  static const std::set<std::string> keys = all_keys();
  try {
    const Spec spec = parse_spec(list, "", keys);
    std::string out = escape_spec_value(file_beside(spec.name, folder));
    bool same = file_beside(spec.name, folder) == spec.name;
    for (const auto& [key, value] : spec.values) {
      const std::string found = value_beside(spec, key, folder);
      same = same && found == value;
      // Lists in braces are read as they stand, by whoever reads them.
      const bool lists = kLists.count(key) > 0 && found.rfind('{', 0) == 0;
      out += (out.empty() ? "" : ",") + key + '=' + (lists ? found : escape_spec_value(found));
    }
    return same ? list : out;
  } catch (const Error&) {
    return list;
  }
}

}  // namespace tq::app
