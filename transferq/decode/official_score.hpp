// The scores of the authors' public code (official.hpp), as differences from those of the candidate
// that the rewards favour most: only differences choose, and so a small alpha or rewards far apart
// give minus infinity where a score itself would overflow, never NaN, and the order of the scores
// stays exact. Pure functions; alpha > 0, one entry a candidate in every span, at least one.
#pragma once

#include <span>
#include <vector>

namespace tq {

// Direct: r / alpha + logit.
std::vector<double> official_scores(std::span<const double> logits, std::span<const double> rewards,
                                    double alpha);

// Indirect: exp((r2 - r1) / 2) r2 / alpha + logit, with r2 the target reward and r1 the baseline's.
// The weights are not normalised: a constant added to a reward changes the choice.
std::vector<double> official_indirect_scores(std::span<const double> logits,
                                             std::span<const double> rewards,
                                             std::span<const double> baseline_rewards,
                                             double alpha);

}  // namespace tq
