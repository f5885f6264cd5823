// Prompts from a JSONL file: one {"id", "prompt"} or {"id", "messages": [{"role", "content"}]} a
// line. Blank lines are skipped; a row without an id gets its line number.
#pragma once

#include <filesystem>
#include <vector>

#include "transferq/policy/prompt.hpp"

namespace tq {

// Throws Error: io if the file can't be read; input, naming the line, for a row that is not valid
// UTF-8 or JSON, lacks a prompt, has an empty one, or repeats an id.
std::vector<Prompt> read_prompts(const std::filesystem::path& path);

}  // namespace tq
