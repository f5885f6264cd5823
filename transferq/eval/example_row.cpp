#include "transferq/eval/example_row.hpp"

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/eval/dialogue.hpp"
#include "transferq/eval/json_fields.hpp"

namespace tq {
namespace {

using nlohmann::json;

// The prompt of a row that may have none.
Prompt prompt_of(const json& row, std::size_t line) {
  if (!row.contains("prompt") && !row.contains("messages")) return {row_id(row, line), {}};
  return row_prompt(row, line);
}

// A response as text, or as the last of a list of messages, which then may hold the prompt.
std::string response_of(const json& row, const char* key, std::vector<Message>& before) {
  const json& value = row.at(key);
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) {
    throw Error(ErrorKind::input, fmt::format("'{}' must be a string or a list of messages", key));
  }
  before = message_list(value, key);
  if (before.empty() || before.back().role != "assistant") {
    throw Error(ErrorKind::input, fmt::format("'{}' must end with the assistant's message", key));
  }
  std::string response = std::move(before.back().content);
  before.pop_back();
  return response;
}

bool same(const std::vector<Message>& a, const std::vector<Message>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.role == y.role && x.content == y.content;
  });
}

Pair pair_of(const json& row, std::size_t line, const char* better = "chosen",
             const char* worse = "rejected") {
  for (const char* key : {better, worse}) {
    if (!row.contains(key)) throw Error(ErrorKind::input, fmt::format("the row lacks '{}'", key));
  }
  Pair pair{row_id(row, line), line, prompt_of(row, line), {}, {}};
  std::vector<Message> before_chosen, before_rejected;
  pair.chosen = response_of(row, better, before_chosen);
  pair.rejected = response_of(row, worse, before_rejected);
  if (!same(before_chosen, before_rejected)) {
    throw Error(ErrorKind::input,
                fmt::format("'{}' and '{}' differ before their last message", better, worse));
  }
  if (!before_chosen.empty()) pair.prompt.messages = std::move(before_chosen);
  return pair;
}

std::optional<double> label_of(const json& row) {
  const auto label = row.find("label");
  if (label == row.end() || label->is_null()) return std::nullopt;
  if (label->is_boolean()) return label->get<bool>() ? 1.0 : 0.0;
  if (!label->is_number()) {
    throw Error(ErrorKind::input, "'label' must be a number, as in \"label\": 1");
  }
  return label->get<double>();
}

Example example_of(const json& row, std::size_t line) {
  const char* key = row.contains("response") ? "response" : "text";
  if (!row.contains(key)) {
    throw Error(ErrorKind::input, "the row has neither 'response' nor 'chosen' and 'rejected'");
  }
  Example example{row_id(row, line),    line,          prompt_of(row, line),
                  text_field(row, key), label_of(row), false};
  example.has_prompt = !example.prompt.messages.empty();
  return example;
}

}  // namespace

bool is_dialogue_row(const json& row) {
  if (!row.is_object() || row.contains("prompt") || row.contains("messages")) return false;
  const auto dialogue = [&](const char* key) {
    const auto it = row.find(key);
    return it != row.end() && it->is_string() && is_dialogue(it->get<std::string>());
  };
  return dialogue("chosen") && dialogue("rejected");
}

ExampleRow json_row(const json& row, std::size_t line) {
  row_id(row, line);  // an object, then
  if (row.contains("chosen") || row.contains("rejected")) return pair_of(row, line);
  const bool single = row.contains("response") || row.contains("text");
  if (!single && (row.contains("positive") || row.contains("negative"))) {
    return pair_of(row, line, "positive", "negative");
  }
  return example_of(row, line);
}

Pair dialogue_row(const json& row, std::size_t line) {
  Pair pair = pair_of(row, line);
  DialoguePair parts = part_dialogues(text_field(row, "chosen"), text_field(row, "rejected"));
  pair.prompt.messages = std::move(parts.prompt);
  pair.chosen = std::move(parts.first);
  pair.rejected = std::move(parts.second);
  return pair;
}

Example labelled_row(std::string_view text, std::size_t line) {
  const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
  const std::string word(text.substr(0, end));
  std::size_t read = 0;
  double label = NAN;
  try {
    label = std::stod(word, &read);
  } catch (const std::logic_error&) {
    read = 0;
  }
  const std::size_t from = text.find_first_not_of(" \t", end);
  if (read == 0 || read != word.size() || !std::isfinite(label) || from == std::string_view::npos) {
    throw Error(ErrorKind::input, "the line must be a label and a text, such as `1 a good film`");
  }
  const std::size_t last = text.find_last_not_of(" \t\r");
  const std::string id = std::to_string(line);
  return {id, line, {id, {}}, std::string(text.substr(from, last - from + 1)), label, false};
}

}  // namespace tq
