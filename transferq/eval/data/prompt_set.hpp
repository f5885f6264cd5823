// A set of prompts from a file of ours or of a published data set (prompt_forms.hpp), in JSONL, one
// JSON array or CSV, compressed by gzip or not.
//
// A prompt's id is the row's "id". Where no row has one it is "question_id", "prompt_id", "uid" or
// "hh_rlhf_index" if every row has another value there, and else the row's number: its line in
// JSONL, its place (from 1) in an array or a CSV file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "transferq/policy/prompt.hpp"

namespace tq {

struct PromptSet {
  std::vector<Prompt> prompts;  // in the file's order
  std::string format;           // the form its rows were read in
  std::string sha256;           // of the file's bytes as they are stored, compressed or not
  std::size_t available = 0;    // prompts there were to sample from
  std::size_t repeated = 0;     // rows left out because an earlier one has the same prompt
};

// Two rows of one prompt are no two measurements, so an experiment takes the first; a run of
// `tq generate` answers every row.
enum class Repeats { left_out, kept };

// `format` is "auto" (by the first row) or the name of a form. Throws Error: usage for an unknown
// format; io if the file can't be read; input, naming file and line, for a row that is not valid
// UTF-8 or JSON, does not have the format, has no prompt or an empty one, or has an id twice.
PromptSet read_prompt_set(const std::filesystem::path& path, const std::string& format = "auto",
                          Repeats repeats = Repeats::left_out);

// Keeps `count` prompts, drawn without replacement, in the file's order. The same on every machine;
// a smaller sample of one seed is part of a larger one. Throws Error (usage) for a count of 0 or
// one of more prompts than there are: a figure of 100 prompts must be one of 100 prompts.
void sample_prompts(PromptSet& set, std::size_t count, std::uint64_t seed);

}  // namespace tq
