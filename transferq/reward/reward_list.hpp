// Reads a reward from its short form on the command line, such as head=sentiment or length=50. A
// new kind is a file of its own and a row in the table of the source file; see kind.hpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "transferq/policy/model_store.hpp"
#include "transferq/reward/kind.hpp"
#include "transferq/reward/reward.hpp"

namespace tq {

const std::vector<RewardKind>& reward_kinds();

// `policy` is the decoding policy's model, for rewards that name none. Throws Error (usage) for a
// list that is no reward.
std::unique_ptr<Reward> make_reward(std::string_view list, ModelStore& models,
                                    const std::shared_ptr<const Model>& policy, Format format);

}  // namespace tq
