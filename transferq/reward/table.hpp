// A reward given as a table over token sequences, for finite worlds whose answers are known. Its
// scores are exact; a response is looked up by its prompt's tokens followed by its own, the token
// that ended it included. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "transferq/reward/reward.hpp"

namespace tq {

// `model` reads the prompt's tokens. Scoring a sequence that has no entry throws Error (input).
std::unique_ptr<Reward> make_table_reward(std::map<std::vector<Token>, double> table,
                                          std::shared_ptr<const Model> model);

}  // namespace tq
