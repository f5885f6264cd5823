#include "transferq/reward/head_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"

namespace tq {
namespace {

namespace fs = std::filesystem;

fs::path heads_folder() {
  if (const char* folder = std::getenv("TQ_HEADS_DIR"); folder != nullptr && *folder != '\0') {
    return folder;
  }
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  const fs::path installed = program.parent_path().parent_path() / "share/transferq/heads";
  if (fs::is_directory(installed)) return installed;
  for (fs::path folder = program.parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    if (fs::is_directory(folder / "assets/heads")) return folder / "assets/heads";
  }
  return {};
}

}  // namespace

std::vector<std::string> shipped_heads() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(heads_folder(), ignored)) {
    if (entry.path().extension() == ".gguf") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

fs::path find_head(const std::string& name_or_path) {
  if (fs::is_regular_file(name_or_path)) return name_or_path;
  const fs::path shipped = heads_folder() / (name_or_path + ".gguf");
  if (fs::is_regular_file(shipped)) return shipped;
  const auto names = shipped_heads();
  const std::string near = nearest_name(name_or_path, names);
  throw Error(
      ErrorKind::model,
      fmt::format("no head '{}'{}; give the path of a head file, or the name of a shipped "
                  "one (`tq models` lists them)",
                  name_or_path, near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near)));
}

}  // namespace tq
