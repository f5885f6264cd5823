// The fields that rows of every JSONL file of ours have in common: id, prompt or messages. Each
// throws Error (input) that says what is wrong with the row; the caller names file and line.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "transferq/policy/prompt.hpp"

namespace tq {

// Whether a text has nothing but white space.
bool blank(const std::string& text);

// The string under `key`, or "" when the row has none.
std::string text_field(const nlohmann::json& row, const char* key);

// A list of {"role", "content"}; `key` names it in messages.
std::vector<Message> message_list(const nlohmann::json& list, const char* key);

// The row's id, or its line number when it has none.
std::string row_id(const nlohmann::json& row, std::size_t line);

// Throws when a prompt is empty or holds a character that no prompt can have.
void check_prompt(const std::vector<Message>& messages);

// The prompt under "messages", or under "prompt" as a text or a list of messages. Throws when there
// is none, or an empty one.
Prompt row_prompt(const nlohmann::json& row, std::size_t line);

}  // namespace tq
