#include "transferq/value/direct.hpp"

#include <gtest/gtest.h>

namespace tq {
namespace {

using Values = std::vector<double>;

Rollout rollout(std::size_t candidate, double weight) { return {candidate, {}, weight, {}}; }

TEST(DirectValues, AreTheWeightedMeansOfEachCandidatesRewards) {
  const std::vector<Rollout> rollouts{rollout(0, 0.25), rollout(0, 0.75), rollout(1, 1)};
  EXPECT_EQ(direct_values(rollouts, Values{4, 8, -3}, 2), (Values{7, -3}));
}

TEST(DirectValues, AreNormalisedWithinEachCandidate) {
  const std::vector<Rollout> rollouts{rollout(1, 2), rollout(0, 0.5), rollout(1, 6)};
  EXPECT_EQ(direct_values(rollouts, Values{1, 5, 2}, 2), (Values{5, 1.75}));
}

TEST(DirectValues, OfEqualRewardsAreThatReward) {
  const std::vector<Rollout> rollouts{rollout(0, 1.0 / 3), rollout(0, 1.0 / 3),
                                      rollout(0, 1.0 / 3)};
  EXPECT_NEAR(direct_values(rollouts, Values{0.1, 0.1, 0.1}, 1)[0], 0.1, 1e-15);
}

}  // namespace
}  // namespace tq
