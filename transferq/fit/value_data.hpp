// What a learned value is fitted on: the roll-outs that runs have logged. A row is what
// `tq generate --explain` prints as JSON or writes to its --out file: the prompt, and of each step
// the candidates with the values that roll-outs gave them, and the token that was chosen.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "transferq/core/token.hpp"
#include "transferq/policy/prompt.hpp"

namespace tq {

// A step whose candidates were valued.
struct LoggedStep {
  std::size_t at = 0;  // tokens of the response before it
  std::vector<Token> candidates;
  std::vector<double> logprobs;  // under the proposal, natural
  std::vector<double> values;    // in units of the reward
};

struct LoggedRun {
  std::string source;  // file and line, for messages
  Prompt prompt;
  std::vector<Token> tokens;  // of the response
  std::vector<LoggedStep> steps;
};

// Reads a file of rows, gzip-compressed or not. Candidates whose value is not that of whole
// roll-outs are left out (given up on the way, predicted, of the text so far), and steps of fewer
// than two others; rows without a step that is left are, too. Throws Error: io if the file can't be
// read; input, naming file and line, for a row that is no logged run or logs blocks.
std::vector<LoggedRun> read_logged_runs(const std::filesystem::path& path);

}  // namespace tq
