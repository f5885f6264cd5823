#include "transferq/eval/prompt_file.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"

namespace tq {
namespace {

using nlohmann::json;

std::string text_of(const json& row, const char* key) {
  const auto it = row.find(key);
  if (it == row.end()) return "";
  if (!it->is_string()) {
    throw Error(ErrorKind::input,
                fmt::format("'{}' must be a string, as in \"{}\": \"...\"", key, key));
  }
  return it->get<std::string>();
}

bool blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

Message message_of(const json& item) {
  if (!item.is_object()) {
    throw Error(ErrorKind::input, "a message must be an object with role and content");
  }
  Message message{text_of(item, "role"), text_of(item, "content")};
  if (message.role != "system" && message.role != "user" && message.role != "assistant") {
    throw Error(ErrorKind::input, fmt::format("a message's role must be system, user or assistant, "
                                              "not '{}'",
                                              message.role));
  }
  return message;
}

Prompt prompt_of(const json& row, std::size_t line) {
  if (!row.is_object()) throw Error(ErrorKind::input, "the row must be a JSON object");
  Prompt prompt;
  const auto id = row.find("id");
  if (id == row.end()) {
    prompt.id = std::to_string(line);
  } else {
    prompt.id = id->is_string() ? id->get<std::string>() : id->dump();
    if (prompt.id.empty())
      throw Error(ErrorKind::input, "the id is empty; name it or leave it out");
  }
  if (const auto messages = row.find("messages"); messages != row.end()) {
    if (!messages->is_array()) throw Error(ErrorKind::input, "'messages' must be a list");
    for (const json& item : *messages) prompt.messages.push_back(message_of(item));
  } else if (row.contains("prompt")) {
    prompt.messages.push_back({"user", text_of(row, "prompt")});
  } else {
    throw Error(ErrorKind::input, "the row has neither 'prompt' nor 'messages'");
  }
  for (const Message& message : prompt.messages) {
    if (message.content.find('\0') == std::string::npos) continue;
    throw Error(ErrorKind::input, "the prompt holds a NUL character (\\u0000); take it out");
  }
  if (prompt.messages.empty() || blank(prompt.messages.back().content)) {
    throw Error(ErrorKind::input, "the prompt is empty; write at least one word");
  }
  return prompt;
}

}  // namespace

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
      Prompt prompt = prompt_of(json::parse(text), line);
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
