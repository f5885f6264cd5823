// Contrasts: pairs of texts that differ in what a control vector is to stand for, in tokens. Two
// kinds make them:
//   - a positive and a negative system prompt before the same user prompt, read at the tokens that
//     both end with (the prompt and the turn that begins the answer), where the states differ only
//     because of what came before (Zou et al., "Representation Engineering", arXiv 2310.01405,
//     section 3.1; a system prompt is their stimulus);
//   - a better and a worse response to a prompt, read at the response's tokens.
// Pure functions of the policy.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "transferq/fit/units.hpp"
#include "transferq/policy/policy.hpp"

namespace tq {

struct ContrastText {
  std::vector<Token> tokens;
  std::size_t first = 0;  // the first token that is read; all behind it are, too
};

struct Contrast {
  std::string source;  // for messages
  ContrastText positive, negative;
};

// One for each prompt; "" stands for no system prompt. Throws Error: usage when both system prompts
// are the same, input for a prompt after which they make no difference or leave nothing to read.
std::vector<Contrast> contrast_systems(std::span<const Prompt> prompts, const std::string& positive,
                                       const std::string& negative, const Policy& policy);

struct ResponseContrasts {
  std::vector<Contrast> contrasts;
  std::size_t cut = 0;        // responses that lost their end
  std::size_t left_out = 0;   // pairs whose prompt leaves no room for a response
  std::size_t identical = 0;  // pairs left out that are the same in tokens, or behind the cut
};

// One for each pair, of at most `longest` tokens. Throws Error (input) for units that are not
// pairs.
ResponseContrasts contrast_responses(std::span<const Unit> units, const Policy& policy,
                                     std::size_t longest);

// SHA-256 of all tokens that are read, in order.
std::string fingerprint(std::span<const Contrast> contrasts);

}  // namespace tq
