// Rewards that are plain rules on the response's text. They cost no evaluation and need no model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "transferq/reward/kind.hpp"

namespace tq {

// -|n - target| / target for a response of n words (runs of non-space characters): 0 at best.
std::unique_ptr<Reward> make_length_rule(std::size_t target);

// How often an ECMAScript regular expression matches, at most `cap` times (0: no limit). Throws
// Error (usage) when the pattern is malformed; scoring a text of more than 4096 bytes throws Error
// (input).
std::unique_ptr<Reward> make_regex_rule(const std::string& pattern, std::size_t cap);

// How many of the response's words are wanted, less those to avoid; case does not matter in ASCII,
// and a word is a run of letters, digits and apostrophes. At most `cap` (0: no limit) are counted
// of each kind.
std::unique_ptr<Reward> make_word_rule(std::vector<std::string> wanted,
                                       std::vector<std::string> avoided, std::size_t cap);

RewardKind length_kind();
RewardKind regex_kind();
RewardKind words_kind();

}  // namespace tq
