#include "transferq/eval/json_fields.hpp"

#include <fmt/format.h>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

using nlohmann::json;

Message message_of(const json& item) {
  if (!item.is_object()) {
    throw Error(ErrorKind::input, "a message must be an object with role and content");
  }
  Message message{text_field(item, "role"), text_field(item, "content")};
  if (message.role != "system" && message.role != "user" && message.role != "assistant") {
    throw Error(ErrorKind::input, fmt::format("a message's role must be system, user or assistant, "
                                              "not '{}'",
                                              message.role));
  }
  return message;
}

}  // namespace

bool blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

std::string text_field(const json& row, const char* key) {
  const auto it = row.find(key);
  if (it == row.end()) return "";
  if (!it->is_string()) {
    throw Error(ErrorKind::input,
                fmt::format("'{}' must be a string, as in \"{}\": \"...\"", key, key));
  }
  return it->get<std::string>();
}

std::vector<Message> message_list(const json& list, const char* key) {
  if (!list.is_array()) throw Error(ErrorKind::input, fmt::format("'{}' must be a list", key));
  std::vector<Message> messages;
  for (const json& item : list) messages.push_back(message_of(item));
  return messages;
}

std::string row_id(const json& row, std::size_t line) {
  if (!row.is_object()) throw Error(ErrorKind::input, "the row must be a JSON object");
  const auto id = row.find("id");
  if (id == row.end()) return std::to_string(line);
  std::string text = id->is_string() ? id->get<std::string>() : id->dump();
  if (text.empty()) throw Error(ErrorKind::input, "the id is empty; name it or leave it out");
  return text;
}

void check_prompt(const std::vector<Message>& messages) {
  for (const Message& message : messages) {
    if (message.content.find('\0') == std::string::npos) continue;
    throw Error(ErrorKind::input, "the prompt holds a NUL character (\\u0000); take it out");
  }
  if (messages.empty() || blank(messages.back().content)) {
    throw Error(ErrorKind::input, "the prompt is empty; write at least one word");
  }
}

Prompt row_prompt(const json& row, std::size_t line) {
  Prompt prompt{row_id(row, line), {}};
  const auto text = row.find("prompt");
  if (const auto messages = row.find("messages"); messages != row.end()) {
    prompt.messages = message_list(*messages, "messages");
  } else if (text == row.end()) {
    throw Error(ErrorKind::input, "the row has neither 'prompt' nor 'messages'");
  } else if (text->is_array()) {
    prompt.messages = message_list(*text, "prompt");
  } else {
    prompt.messages.push_back({"user", text_field(row, "prompt")});
  }
  check_prompt(prompt.messages);
  return prompt;
}

}  // namespace tq
