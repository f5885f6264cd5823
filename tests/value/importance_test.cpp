#include "transferq/value/importance.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/value/evidence.hpp"

namespace tq {
namespace {

using testing::made_up;
using testing::MadeUp;
using Shares = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void expect_near(const Shares& got, const Shares& expected, double tolerance = 1e-15) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], tolerance) << i;
}

Weighted weighted(const MadeUp& e, double beta, const WeightOptions& options = {}) {
  return importance_weights(e.evidence(), beta, options).at(0);
}

// Weights 1, 2 and 5 at beta 1/2, roll-outs equally likely.
MadeUp one_two_five() {
  MadeUp e;
  e.add(0, 1.0 / 3, 3, 3);
  e.add(0, 1.0 / 3, 1 + std::log(2) / 2, 1);
  e.add(0, 1.0 / 3, -4, -4 - std::log(5) / 2);
  return e;
}

TEST(Importance, SharesAreTheNormalisedWeights) {
  const Weighted w = weighted(one_two_five(), 0.5);
  expect_near(w.shares, {1.0 / 8, 2.0 / 8, 5.0 / 8});
  EXPECT_NEAR(w.top, std::log(5) / 2, 1e-15);
  EXPECT_NEAR(w.log_mean, std::log(8.0 / 3 / 5), 1e-15);
  EXPECT_NEAR(w.effective, 64.0 / 30, 1e-14);
}

TEST(Importance, ARollOutsOwnShareCounts) {
  MadeUp e = one_two_five();
  e.rollouts[0].weight = 0.6;
  e.rollouts[1].weight = 0.3;
  e.rollouts[2].weight = 0.3;  // p w in proportion to 6, 6 and 15; they need not sum to one
  const Weighted w = weighted(e, 0.5);
  expect_near(w.shares, {6.0 / 27, 6.0 / 27, 15.0 / 27});
  EXPECT_NEAR(w.effective, 27.0 * 27 / (36 + 36 + 225), 1e-14);
}

TEST(Importance, WithoutBaselineRewardsTheyAreZero) {
  MadeUp e = one_two_five();
  const Weighted zero = importance_weights({e.rollouts, e.rewards, {}, 1}, 0.5, {}).at(0);
  e.baseline_rewards.assign(3, 0.0);
  expect_near(zero.shares, weighted(e, 0.5).shares);
}

TEST(Importance, ARollOutThatHasNoShareIsLeftOut) {
  MadeUp e = one_two_five();
  e.add(0, 0.0, 1e4, -1e4);
  const Weighted w = weighted(e, 0.5);
  EXPECT_EQ(w.rollouts, (std::vector<std::size_t>{0, 1, 2}));
  expect_near(w.shares, {1.0 / 8, 2.0 / 8, 5.0 / 8});
}

TEST(Importance, APowerTempersTheWeights) {
  const double a = 1, b = std::sqrt(2), c = std::sqrt(5);
  const Weighted w = weighted(one_two_five(), 0.5, {.power = 0.5});
  expect_near(w.shares, {a / (a + b + c), b / (a + b + c), c / (a + b + c)});
  EXPECT_NEAR(w.log_mean, std::log((a + b + c) / 3 / c), 1e-15);
}

TEST(Importance, AClipIsAMultipleOfTheMeanWeight) {
  // The mean is 8/3, so 5 becomes 4.
  const Weighted w = weighted(one_two_five(), 0.5, {.clip = 1.5});
  expect_near(w.shares, {1.0 / 7, 2.0 / 7, 4.0 / 7});
  EXPECT_NEAR(w.log_mean, std::log(7.0 / 3 / 5), 1e-15);
  expect_near(weighted(one_two_five(), 0.5, {.clip = 1}).shares,
              {1 / (3 + 8.0 / 3), 2 / (3 + 8.0 / 3), 8.0 / 3 / (3 + 8.0 / 3)});
  expect_near(weighted(one_two_five(), 0.5, {.clip = 2}).shares, {1.0 / 8, 2.0 / 8, 5.0 / 8});
}

TEST(Importance, EffectiveSamplesLieBetweenOneAndAll) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const MadeUp e = made_up(seed);
    for (const WeightOptions& options :
         {WeightOptions{}, WeightOptions{.power = 0.3}, WeightOptions{.clip = 1.2}}) {
      for (const Weighted& w : importance_weights(e.evidence(), 0.3, options)) {
        const double sum = std::accumulate(w.shares.begin(), w.shares.end(), 0.0);
        EXPECT_NEAR(sum, 1, 1e-12);
        EXPECT_LE(w.log_mean, 1e-15);
        EXPECT_GE(w.effective, 1 - 1e-12);
        EXPECT_LE(w.effective, static_cast<double>(w.rollouts.size()) + 1e-12);
      }
    }
  }
}

TEST(Importance, TamedWeightsAreWorthMoreRollOuts) {
  const double plain = weighted(one_two_five(), 0.1).effective;
  EXPECT_GT(weighted(one_two_five(), 0.1, {.power = 0.5}).effective, plain);
  EXPECT_GT(weighted(one_two_five(), 0.1, {.clip = 1.5}).effective, plain);
}

TEST(Importance, ExtremeNumbersGiveNoNaN) {
  for (const double beta : {5e-324, 1e-300, 1e-6, 1.0, 1e300}) {
    for (const double far : {1e3, 1e4, 1e300}) {
      for (const WeightOptions& options :
           {WeightOptions{}, WeightOptions{.power = 1e-3}, WeightOptions{.clip = 1.5}}) {
        MadeUp e;
        e.add(0, 0.5, far, 0);
        e.add(0, 0.5, -far, 0);
        e.add(0, 1e-300, far, -1);
        const Weighted w = weighted(e, beta, options);
        EXPECT_NEAR(w.shares[0] + w.shares[1] + w.shares[2], 1, 1e-12);
        for (const double share : w.shares) EXPECT_GE(share, 0);
        EXPECT_TRUE(std::isfinite(w.log_mean));
        EXPECT_TRUE(std::isfinite(w.effective));
      }
    }
  }
}

TEST(Importance, EffectiveSamplesAreOfCandidatesWithSeveralRollOuts) {
  EXPECT_FALSE(effective_samples(std::vector<Weighted>{}).has_value());
  MadeUp e = one_two_five();
  e.add(1, 1, 7, 0);  // ends the response
  e.add(2, 0.5, 1, 1);
  e.add(2, 0.5, 2, 2);
  const auto samples = effective_samples(importance_weights(e.evidence(), 0.5, {}));
  ASSERT_TRUE(samples.has_value());
  EXPECT_NEAR(samples->mean, (64.0 / 30 + 2) / 2, 1e-14);
  EXPECT_NEAR(samples->min, 2, 1e-14);
  EXPECT_NEAR(samples->rollouts, 2.5, 1e-15);
  MadeUp single;
  single.add(0, 1, 7, 0);
  EXPECT_FALSE(effective_samples(importance_weights(single.evidence(), 0.5, {})).has_value());
}

TEST(Importance, OfAResponseTheyAreMeansAndTheLeastMinimum) {
  const auto all =
      effective_samples(std::vector<EffectiveSamples>{{3, 2, 8}, {5, 1.5, 8}, {4, 4, 5}});
  ASSERT_TRUE(all.has_value());
  EXPECT_NEAR(all->mean, 4, 1e-15);
  EXPECT_NEAR(all->min, 1.5, 1e-15);
  EXPECT_NEAR(all->rollouts, 7, 1e-15);
}

TEST(Importance, TheyCollapseBelowTwoOrATenthOfAll) {
  for (const auto& [mean, rollouts, expected] :
       std::vector<std::tuple<double, double, bool>>{{1.49, 2, true},
                                                     {1.5, 2, false},
                                                     {1.9, 3, true},
                                                     {2, 3, false},
                                                     {1.99, 16, true},
                                                     {2.0, 16, false},
                                                     {2.9, 30, true},
                                                     {3, 30, false},
                                                     {1, 1, false}}) {
    EXPECT_EQ(collapsed({mean, 1, rollouts}), expected) << mean << " of " << rollouts;
  }
}

TEST(Importance, AnInfiniteClipIsNone) {
  expect_near(weighted(one_two_five(), 0.5, {.clip = kInfinity}).shares, {0.125, 0.25, 0.625});
}

}  // namespace
}  // namespace tq
