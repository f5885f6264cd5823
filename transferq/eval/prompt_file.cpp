#include "transferq/eval/prompt_file.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"
#include "transferq/eval/json_fields.hpp"

namespace tq {

using nlohmann::json;

std::vector<Prompt> read_prompts(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file || std::filesystem::is_directory(path)) {
    throw Error(ErrorKind::io,
                fmt::format("can't read the prompt file {}; check the path", path.string()));
  }
  std::vector<Prompt> prompts;
  std::set<std::string> ids;
  std::string text;
  for (std::size_t line = 1; std::getline(file, text); ++line) {
    try {
      if (const std::size_t at = invalid_utf8(text); at != std::string::npos) {
        throw Error(ErrorKind::input,
                    fmt::format("not valid UTF-8 at byte {}; save the file as UTF-8", at + 1));
      }
      if (blank(text)) continue;
      Prompt prompt = row_prompt(json::parse(text), line);
      if (!ids.insert(prompt.id).second) {
        throw Error(ErrorKind::input, fmt::format("the id '{}' is used twice", prompt.id));
      }
      prompts.push_back(std::move(prompt));
    } catch (const json::parse_error& e) {
      throw Error(ErrorKind::input,
                  fmt::format("{} line {}: not valid JSON at byte {}; each line must be one object",
                              path.string(), line, e.byte));
    } catch (const Error& e) {
      throw Error(e.kind(), fmt::format("{} line {}: {}", path.string(), line, e.what()));
    }
  }
  if (prompts.empty()) {
    throw Error(ErrorKind::input, fmt::format("{} has no prompts; write one {{\"id\", \"prompt\"}} "
                                              "a line",
                                              path.string()));
  }
  return prompts;
}

}  // namespace tq
