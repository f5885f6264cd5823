#include "transferq/value/soft.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/value/evidence.hpp"

namespace tq {
namespace {

using testing::made_up;
using testing::MadeUp;
using Values = std::vector<double>;

Values soft(const MadeUp& e, double beta, const WeightOptions& options = {}) {
  return Soft(beta, options).value(e.evidence()).values;
}

// E[w] of each candidate, as the formula says it.
Values mean_weights(const MadeUp& e, double beta) {
  Values sum(e.candidates), all(e.candidates);
  for (std::size_t i = 0; i < e.rollouts.size(); ++i) {
    const Rollout& rollout = e.rollouts[i];
    sum[rollout.candidate] +=
        rollout.weight * std::exp((e.rewards[i] - e.baseline_rewards[i]) / beta);
    all[rollout.candidate] += rollout.weight;
  }
  for (std::size_t c = 0; c < e.candidates; ++c) sum[c] /= all[c];
  return sum;
}

TEST(Soft, IsBetaTimesTheLogOfTheMeanWeight) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const MadeUp e = made_up(seed);
    for (const double beta : {0.1, 1.0, 10.0}) {
      const Values values = soft(e, beta), expected = mean_weights(e, beta);
      for (std::size_t c = 0; c < e.candidates; ++c) {
        EXPECT_NEAR(values[c], beta * std::log(expected[c]), 1e-12 * std::max(1.0, beta));
      }
    }
  }
}

TEST(Soft, OfOneRollOutIsWhatTheRewardAddsToTheBaselines) {
  MadeUp e;
  e.add(0, 1, 3, -2);
  e.add(1, 1, -3, 2);
  EXPECT_EQ(soft(e, 0.1), (Values{5, -5}));
}

TEST(Soft, AConstantAddedToARewardMovesAllValuesAlike) {
  for (std::uint64_t seed = 0; seed < 10000; ++seed) {
    MadeUp e = made_up(seed);
    const Values before = soft(e, 0.3);
    for (double& r : e.rewards) r += 5;
    for (double& r : e.baseline_rewards) r += 12;
    const Values after = soft(e, 0.3);
    for (std::size_t c = 0; c < e.candidates; ++c) EXPECT_NEAR(after[c], before[c] - 7, 1e-11);
  }
}

TEST(Soft, APowerLowersTheValueDownToTheMeanDifference) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const MadeUp e = made_up(seed);
    const Values full = soft(e, 0.5), half = soft(e, 0.5, {.power = 0.5}),
                 least = soft(e, 0.5, {.power = 1e-6});
    Values mean(e.candidates), all(e.candidates);
    for (std::size_t i = 0; i < e.rollouts.size(); ++i) {
      const Rollout& rollout = e.rollouts[i];
      mean[rollout.candidate] += rollout.weight * (e.rewards[i] - e.baseline_rewards[i]);
      all[rollout.candidate] += rollout.weight;
    }
    for (std::size_t c = 0; c < e.candidates; ++c) {
      EXPECT_LE(half[c], full[c] + 1e-12);
      EXPECT_LE(least[c], half[c] + 1e-9);
      EXPECT_NEAR(least[c], mean[c] / all[c], 1e-4);
    }
  }
}

TEST(Soft, AClipLowersTheValue) {
  MadeUp e;
  e.add(0, 0.5, 4, 0);
  e.add(0, 0.5, 0, 0);
  const double mean = (std::exp(4.0) + 1) / 2;
  EXPECT_NEAR(soft(e, 1, {.clip = 1.5})[0], std::log((1.5 * mean + 1) / 2), 1e-14);
}

TEST(Soft, ExtremeNumbersGiveFiniteValues) {
  for (const double beta : {5e-324, 1e-300, 1e-6, 1e3}) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
      for (const double value : soft(made_up(seed, 1e4), beta)) {
        EXPECT_TRUE(std::isfinite(value));
        EXPECT_LE(std::abs(value), 2e4 + 1e4);
      }
    }
  }
}

TEST(Soft, LogWeightsOfMinusAThousandAreNotLost) {
  MadeUp e;  // exp(-1000) is no double
  e.add(0, 0.5, -1000, 0);
  e.add(0, 0.5, -1001, 0);
  EXPECT_NEAR(soft(e, 1)[0], -1000 + std::log((1 + std::exp(-1)) / 2), 1e-12);
}

}  // namespace
}  // namespace tq
