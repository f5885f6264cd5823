// Seeded splits of units that keep groups whole: what is tested on shares no prompt with what was
// fitted on. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "transferq/core/random.hpp"

namespace tq {

// What a draw is for, as RandomKey::step.
inline constexpr std::uint32_t kSampleDraw = 1;
inline constexpr std::uint32_t kHoldoutDraw = 2;
inline constexpr std::uint32_t kFoldDraw = 3;
inline constexpr std::uint32_t kCurveDraw = 4;

// 0..count-1 in an order drawn with the key (Fisher and Yates; the key's position is counted up).
std::vector<std::size_t> shuffled(std::size_t count, RandomKey key);

// The same, group by group: units of one group stand together. `groups` names each unit's.
std::vector<std::size_t> shuffled_groups(const std::vector<std::string>& groups, RandomKey key);

// How many units of an order make up `fraction` of it, rounded to whole groups: at least one group,
// and at least one left where there are two.
std::size_t whole_groups(const std::vector<std::size_t>& order,
                         const std::vector<std::string>& groups, double fraction);

// Each unit's fold, 0..folds-1: groups in a drawn order, each to the fold that has fewest units.
std::vector<std::size_t> deal_folds(const std::vector<std::string>& groups, std::size_t folds,
                                    RandomKey key);

}  // namespace tq
