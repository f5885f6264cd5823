#include "transferq/eval/data/prompt_forms.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"
#include "transferq/eval/dialogue.hpp"
#include "transferq/eval/json_fields.hpp"

namespace tq {
namespace {

using nlohmann::json;

bool is_text(const json& row, const char* key) {
  const auto it = row.find(key);
  return it != row.end() && it->is_string();
}

bool is_list(const json& row, const char* key) {
  const auto it = row.find(key);
  return it != row.end() && it->is_array();
}

bool is_dialogue_at(const json& row, const char* key) {
  return is_text(row, key) && is_dialogue(row.at(key).get<std::string>());
}

// A text that must be there.
std::string needed(const json& row, const char* key) {
  if (!row.contains(key)) throw Error(ErrorKind::input, fmt::format("the row lacks '{}'", key));
  return text_field(row, key);
}

std::vector<Message> user(std::string text) { return {{"user", std::move(text)}}; }

// Ours: {"prompt"} or {"messages"}.
std::vector<Message> read_own(const json& row) { return row_prompt(row, 0).messages; }

bool fits_own(const json&) { return true; }

// HH-RLHF: two whole dialogues; or, as Dahoas/full-hh-rlhf has it, the prompt and two answers.
bool fits_hh(const json& row) {
  if (row.contains("prompt") || row.contains("messages")) {
    return is_dialogue_at(row, "prompt") && row.contains("chosen");
  }
  return is_dialogue_at(row, "chosen") && is_dialogue_at(row, "rejected");
}

std::vector<Message> read_hh(const json& row) {
  if (row.contains("prompt")) return dialogue_prompt(needed(row, "prompt"));
  return part_dialogues(needed(row, "chosen"), needed(row, "rejected")).prompt;
}

// The same as one text, for models without a chat template.
std::vector<Message> read_hh_text(const json& row) { return user(dialogue_text(read_hh(row))); }

bool never(const json&) { return false; }

// Nectar: a dialogue as prompt, and ranked answers.
bool fits_nectar(const json& row) {
  return is_dialogue_at(row, "prompt") && is_list(row, "answers");
}

std::vector<Message> read_nectar(const json& row) { return dialogue_prompt(needed(row, "prompt")); }

// UltraFeedback: {"instruction", "completions"}; binarised, {"prompt", "chosen", "rejected"}, the
// last two texts or lists of messages that begin with the prompt.
bool fits_ultrafeedback(const json& row) {
  if (row.contains("completions")) return is_text(row, "instruction");
  return row.contains("prompt") && row.contains("chosen") && row.contains("rejected");
}

std::vector<Message> before_answer(const json& row, const char* key) {
  std::vector<Message> messages = message_list(row.at(key), key);
  if (messages.empty() || messages.back().role != "assistant") {
    throw Error(ErrorKind::input, fmt::format("'{}' must end with the assistant's message", key));
  }
  messages.pop_back();
  return messages;
}

bool same(const std::vector<Message>& a, const std::vector<Message>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.role == y.role && x.content == y.content;
  });
}

std::vector<Message> read_ultrafeedback(const json& row) {
  if (row.contains("instruction")) return user(needed(row, "instruction"));
  if (is_list(row, "chosen")) {
    std::vector<Message> messages = before_answer(row, "chosen");
    if (is_list(row, "rejected") && !same(messages, before_answer(row, "rejected"))) {
      throw Error(ErrorKind::input, "'chosen' and 'rejected' differ before their last message");
    }
    if (!messages.empty()) return messages;
  }
  if (is_list(row, "prompt")) return message_list(row.at("prompt"), "prompt");
  return user(needed(row, "prompt"));
}

// AlpacaEval: {"instruction", "dataset"}; Alpaca's own rows may add an "input".
bool fits_alpaca(const json& row) {
  return row.contains("instruction") && !row.contains("prompt") && !row.contains("messages");
}

std::vector<Message> read_alpaca(const json& row) {
  const std::string instruction = needed(row, "instruction");
  const std::string input = text_field(row, "input");
  return user(blank(input) ? instruction : instruction + "\n\n" + input);
}

// MT-bench and Vicuna: {"question_id", "turns": [text...]}; Arena-Hard has [{"content"}...]. The
// later turns are about an answer to the first, so the first is the prompt.
bool fits_mt_bench(const json& row) {
  return row.contains("turns") && !row.contains("prompt") && !row.contains("messages");
}

std::vector<Message> read_mt_bench(const json& row) {
  if (!is_list(row, "turns") || row.at("turns").empty()) {
    throw Error(ErrorKind::input, "'turns' must be a list of one text or more");
  }
  const json& first = row.at("turns").front();
  if (first.is_object()) return user(needed(first, "content"));
  if (!first.is_string()) throw Error(ErrorKind::input, "'turns' must be a list of texts");
  return user(first.get<std::string>());
}

const std::array<std::string, 4> kColumns{"prompt", "instruction", "question", "turns"};

std::vector<Message> read_csv_row(const json& row) {
  const auto column = std::find_if(kColumns.begin(), kColumns.end(),
                                   [&](const auto& name) { return row.contains(name); });
  if (column == kColumns.end()) {
    std::vector<std::string> there;
    for (const auto& [name, value] : row.items()) there.push_back(name);
    throw Error(ErrorKind::input, fmt::format("no column {}; the columns are {}",
                                              fmt::join(kColumns, " or "), fmt::join(there, ", ")));
  }
  if (*column == "turns") {  // a list written as JSON, or the first turn alone
    const json list = json::parse(text_field(row, "turns"), nullptr, false);
    if (list.is_array()) return read_mt_bench({{"turns", list}});
  }
  return user(text_field(row, column->c_str()));
}

constexpr std::array<PromptForm, 8> kForms{{
    {"nectar", fits_nectar, read_nectar},
    {"hh-rlhf", fits_hh, read_hh},
    {"hh-rlhf-text", never, read_hh_text},
    {"ultrafeedback", fits_ultrafeedback, read_ultrafeedback},
    {"alpacaeval", fits_alpaca, read_alpaca},
    {"mt-bench", fits_mt_bench, read_mt_bench},
    {"csv", never, read_csv_row},
    {"json", fits_own, read_own},
}};

}  // namespace

std::span<const PromptForm> prompt_forms() { return kForms; }

const PromptForm& csv_prompt_form() { return prompt_form("csv"); }

const PromptForm& prompt_form(const std::string& name) {
  const auto it = std::find_if(kForms.begin(), kForms.end(),
                               [&](const PromptForm& form) { return form.name == name; });
  if (it != kForms.end()) return *it;
  std::vector<std::string> names{"auto"};
  for (const PromptForm& form : kForms) names.emplace_back(form.name);
  const std::string near = nearest_name(name, names);
  throw Error(ErrorKind::usage,
              fmt::format("no format '{}' of prompts{}; the formats are {}", name,
                          near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near),
                          fmt::join(names, ", ")));
}

std::span<const std::string> prompt_columns() { return kColumns; }

}  // namespace tq
