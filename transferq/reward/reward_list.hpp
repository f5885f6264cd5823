// Reads a reward from its short form on the command line:
//   head=FILE[,model=NAME][,force=1]     a linear head, by path or shipped name; its base is
//                                        the policy's model unless named
//   length=WORDS                         the nearer the length, the better
//   regex=PATTERN[,cap=N]                how often it matches
//   words=A B C[,avoid=D E][,cap=N]      wanted and unwanted words; @FILE reads a list
// A new kind adds a row to the table in the source file, and a file of its own.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "transferq/policy/model_store.hpp"
#include "transferq/reward/reward.hpp"

namespace tq {

// `policy` is the decoding policy's model, for heads that name none. Throws Error (usage) for a
// list that is no reward.
std::unique_ptr<Reward> make_reward(std::string_view list, ModelStore& models,
                                    const std::shared_ptr<const Model>& policy, Format format);

}  // namespace tq
