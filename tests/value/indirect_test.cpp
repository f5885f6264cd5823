#include "transferq/value/indirect.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/value/evidence.hpp"
#include "transferq/value/direct.hpp"

namespace tq {
namespace {

using testing::made_up;
using testing::MadeUp;
using Values = std::vector<double>;

Values indirect(const MadeUp& e, double beta, const WeightOptions& options = {}) {
  return Indirect(beta, options).value(e.evidence()).values;
}
Values direct(const MadeUp& e) { return Direct().value(e.evidence()).values; }

void expect_near(const Values& got, const Values& expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], tolerance) << i;
}

TEST(Indirect, IsTheWeightedMeanOfEachCandidatesRewards) {
  MadeUp e;
  e.add(0, 0.25, 2, 2);                // weight 1
  e.add(0, 0.75, 1, 1 - std::log(3));  // weight 3
  e.add(1, 1, -5, 7);
  expect_near(indirect(e, 1), {(0.25 * 2 + 2.25 * 1) / 2.5, -5}, 1e-15);
}

TEST(Indirect, IsDirectWhereTheBaselineWasAlignedToTheReward) {
  for (std::uint64_t seed = 0; seed < 10000; ++seed) {
    MadeUp e = made_up(seed);
    e.baseline_rewards = e.rewards;
    expect_near(indirect(e, 0.01), direct(e), 1e-12);
  }
}

TEST(Indirect, IsDirectWithOneRollOut) {
  MadeUp e;
  e.add(0, 1, 3, -2);
  e.add(1, 1, -3, 2);
  EXPECT_EQ(indirect(e, 0.1), direct(e));
}

TEST(Indirect, ComesToDirectAsBetaGrowsAndToTheMostLikedRollOutAsItFalls) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const MadeUp e = made_up(seed);
    expect_near(indirect(e, 1e12), direct(e), 1e-10);
    Values best(e.candidates), most(e.candidates, -1e9);
    for (std::size_t i = 0; i < e.rollouts.size(); ++i) {
      const std::size_t c = e.rollouts[i].candidate;
      if (e.rewards[i] - e.baseline_rewards[i] <= most[c]) continue;
      most[c] = e.rewards[i] - e.baseline_rewards[i];
      best[c] = e.rewards[i];
    }
    expect_near(indirect(e, 1e-9), best, 1e-9);
  }
}

TEST(Indirect, AConstantAddedToTheBaselinesRewardChangesNothing) {
  for (std::uint64_t seed = 0; seed < 10000; ++seed) {
    MadeUp e = made_up(seed);
    const Values before = indirect(e, 0.3);
    for (double& r : e.baseline_rewards) r += 17;
    expect_near(indirect(e, 0.3), before, 1e-11);
  }
}

TEST(Indirect, AConstantAddedToTheRewardIsAddedToEveryValue) {
  for (std::uint64_t seed = 0; seed < 10000; ++seed) {
    MadeUp e = made_up(seed);
    Values before = indirect(e, 0.3);
    for (double& r : e.rewards) r -= 9;
    for (double& value : before) value -= 9;
    expect_near(indirect(e, 0.3), before, 1e-11);
  }
}

TEST(Indirect, LiesBetweenTheLeastAndTheHighestReward) {
  for (const double beta : {1e-300, 1e-6, 1.0}) {
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
      const MadeUp e = made_up(seed, 1e4);
      const auto [low, high] = std::minmax_element(e.rewards.begin(), e.rewards.end());
      for (const double value : indirect(e, beta)) {
        EXPECT_GE(value, *low - 1e-9);
        EXPECT_LE(value, *high + 1e-9);
      }
    }
  }
}

// Tempering moves the value from the weighted mean back to the plain one, clipping too.
TEST(Indirect, TamedWeightsBiasTowardsDirect) {
  MadeUp e;
  e.add(0, 0.5, 4, 0);
  e.add(0, 0.5, 0, 0);
  const double full = indirect(e, 1)[0], plain = direct(e)[0];
  for (const WeightOptions& options : {WeightOptions{.power = 0.5}, WeightOptions{.clip = 1.5}}) {
    EXPECT_LT(indirect(e, 1, options)[0], full - 0.01);
    EXPECT_GT(indirect(e, 1, options)[0], plain + 0.1);
  }
}

TEST(Indirect, SaysHowManyRollOutsCount) {
  MadeUp e;
  e.add(0, 0.5, 1e4, 0);
  e.add(0, 0.5, 0, 0);
  const auto effective = Indirect(1).value(e.evidence()).effective;
  ASSERT_TRUE(effective.has_value());
  EXPECT_NEAR(effective->mean, 1, 1e-12);
  EXPECT_TRUE(collapsed(*effective));
  EXPECT_FALSE(Direct().value(e.evidence()).effective.has_value());
}

}  // namespace
}  // namespace tq
