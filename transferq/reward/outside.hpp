// What rewards that are scored by something outside the library share: prompts and drafts as rows,
// and one queue for all prompts that are decoded side by side.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "transferq/reward/gathering.hpp"
#include "transferq/reward/kind.hpp"

namespace tq {

// A reward whose scorers, of all prompts and threads, share `call`.
std::unique_ptr<Reward> make_outside_reward(RewardInfo info, Gathering::Call call);

// {"prompt", "messages", "response", "finished"}.
nlohmann::ordered_json row_json(const OutsideRow& row);

// The text as one line, for messages: at most 200 characters (and "..." behind them), line ends and
// other control characters as spaces, invalid UTF-8 replaced.
std::string excerpt(std::string_view text);

// A key that is a number of seconds above 0. Throws Error (usage) for anything else.
double seconds(const Spec& spec, const std::string& key, double fallback);

// A key that is a whole number above 0. Throws Error (usage) for anything else.
std::size_t count_above_zero(const Spec& spec, const std::string& key, std::size_t fallback);

}  // namespace tq
