// A file of examples: responses, with or without labels, or pairs of a better and a worse one.
//
// Forms, told apart by their first row unless one is named:
//   json      JSONL or a JSON array of {"id", "prompt"|"messages", "response"[, "label"]} or
//             {"id", "prompt"|"messages", "chosen", "rejected"}. "text" may stand for "response",
//             "prompt" may be a list of messages, chosen and rejected may be lists of messages that
//             end with the response (the published form of UltraFeedback), and "positive" and
//             "negative" may stand for them.
//   hh        JSONL of {"chosen", "rejected"}, each a whole dialogue (see dialogue.hpp)
//   CSV       with a header that has "response", "text" or "chosen"; the columns are named as the
//   keys
//             of json or hh, an empty prompt is none and an empty label is none
//   labelled  "LABEL text" a line, the label a number (SST-2)
// Any of them may be compressed by gzip. A file holds pairs or single responses, not both. Blank
// lines are skipped; a row without an id gets its line number; ids may repeat.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transferq/policy/prompt.hpp"

namespace tq {

struct Example {
  std::string id;
  std::size_t line = 0;
  Prompt prompt;  // no messages where there is none
  std::string response;
  std::optional<double> label;
  bool has_prompt = false;
};

struct Pair {
  std::string id;
  std::size_t line = 0;
  Prompt prompt;  // no messages where there is none
  std::string chosen, rejected;
};

struct Examples {
  std::vector<Example> rows;
  std::vector<Pair> pairs;
  std::size_t identical = 0;  // pairs left out because both responses are the same text,
  std::size_t empty = 0;      // or because one has no text
};

enum class ExampleFormat { automatic, json, hh, labelled };

// Throws Error: io if the file can't be read; input, naming file and line, for a row that is not
// valid UTF-8 or JSON, lacks a part, or has one of the wrong type, and for a file without rows.
Examples read_examples(const std::filesystem::path& path,
                       ExampleFormat format = ExampleFormat::automatic);

// The same of a text that is there already; `name` stands for the file in messages.
Examples parse_examples(std::string_view text, const std::string& name,
                        ExampleFormat format = ExampleFormat::automatic);

}  // namespace tq
