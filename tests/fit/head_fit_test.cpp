#include "transferq/fit/head_fit.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <numeric>
#include <set>

#include "tests/engine/tiny_files.hpp"
#include "tests/fit/random_sets.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::random_set;

FitResult fit(const std::vector<const FeatureSet*>& sets, FitOptions options = {},
              std::uint64_t seed = 0) {
  options.seed = seed;
  if (!sets.front()->pairs) options.loss = Loss::logistic;
  return fit_head(sets, hold_out(sets.front()->groups, 0.25, seed), options);
}

TEST(HeadFitTest, LearnsWhatCanBeLearnt) {
  for (const bool pairs : {false, true}) {
    const FeatureSet set = random_set(pairs, 400, 6, 0.3);
    const FitResult result = fit({&set});
    EXPECT_GT(result.accuracy.value, 0.85);
    EXPECT_LT(result.accuracy.low, result.accuracy.value);
    // The weight on noise, in units of its spread, is small beside the one that counts.
    for (std::size_t j = 1; j < 6; ++j) {
      EXPECT_LT(std::abs(result.map.weights[j]) * static_cast<float>(1 + j),
                0.2F * result.map.weights[0]);
    }
    ASSERT_EQ(result.curve.size(), 4u);
    EXPECT_EQ(result.curve.back().fitted, 300u);
    EXPECT_EQ(result.curve.back().accuracy.value, result.accuracy.value);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(static_cast<double>(result.curve[i].fitted), 300 / std::pow(2, 3 - i), 1);
    }
  }
}

TEST(HeadFitTest, LearnsNothingFromNoise) {
  FeatureSet set = random_set(false, 400, 6, 0.3);
  for (std::uint32_t i = 0; i < 400; ++i) {
    set.labels[i] = uniform({.seed = 9, .position = i}) < 0.5 ? 0 : 1;
  }
  const FitResult result = fit({&set});
  EXPECT_NEAR(result.accuracy.value, 0.5, 0.15);
}

TEST(HeadFitTest, TheCalibrationIsThatOfTheHeldOutRewards) {
  const FeatureSet set = random_set(true, 80, 3, 0.5);
  const Split split = hold_out(set.groups, 0.25, 0);
  const FitResult result = fit({&set});
  std::vector<double> rewards;
  std::size_t right = 0;
  for (const std::size_t unit : split.held_out) {
    rewards.push_back(result.map(set.features.row(2 * unit)));
    rewards.push_back(result.map(set.features.row(2 * unit + 1)));
    right += rewards[rewards.size() - 2] > rewards.back() ? 1 : 0;
  }
  const double n = static_cast<double>(rewards.size());
  const double mean = std::accumulate(rewards.begin(), rewards.end(), 0.0) / n;
  double squares = 0;
  for (const double r : rewards) squares += (r - mean) * (r - mean);
  EXPECT_NEAR(result.calibration.mean, mean, 1e-9);
  EXPECT_NEAR(result.calibration.spread, std::sqrt(squares / n), 1e-9);
  EXPECT_EQ(result.calibration.low, *std::min_element(rewards.begin(), rewards.end()));
  EXPECT_EQ(result.calibration.high, *std::max_element(rewards.begin(), rewards.end()));
  EXPECT_DOUBLE_EQ(result.accuracy.value,
                   static_cast<double>(right) / static_cast<double>(split.held_out.size()));
}

TEST(HeadFitTest, ValidationPrefersTheBetterFeatures) {
  const FeatureSet good = random_set(false, 200, 4, 0.3);
  FeatureSet bad = good;
  for (std::size_t i = 0; i < bad.features.values.size(); i += 4) bad.features.values[i] = 0;
  EXPECT_EQ(fit({&bad, &good}).set, 1u);
  EXPECT_EQ(fit({&good, &bad}).set, 0u);
}

TEST(HeadFitTest, HeldOutUnitsHaveNoPartInTheHead) {
  FeatureSet set = random_set(true, 100, 4, 0.5);
  const Split split = hold_out(set.groups, 0.25, 0);
  const FitResult before = fit({&set});
  for (const std::size_t unit : split.held_out) {
    for (std::size_t j = 0; j < 8; ++j) set.features.values[unit * 8 + j] += 100.0F;
  }
  const FitResult after = fit({&set});
  EXPECT_EQ(after.map.weights, before.map.weights);
  EXPECT_EQ(after.map.bias, before.map.bias);
  EXPECT_EQ(after.l2, before.l2);
}

TEST(HeadFitTest, TheSeedDecidesAndThreadsDoNot) {
  const FeatureSet set = random_set(true, 120, 5, 1.0);
  FitOptions options;
  const FitResult one = fit({&set}, options, 3);
  options.threads = 3;
  const FitResult more = fit({&set}, options, 3);
  EXPECT_EQ(one.map.weights, more.map.weights);
  ASSERT_EQ(one.trials.size(), more.trials.size());
  for (std::size_t i = 0; i < one.trials.size(); ++i) {
    EXPECT_EQ(one.trials[i].loss, more.trials[i].loss);
    EXPECT_EQ(one.trials[i].accuracy, more.trials[i].accuracy);
  }
  EXPECT_NE(one.map.weights, fit({&set}, options, 4).map.weights);
}

TEST(HeadFitTest, PairsMayBeFittedByTheLogisticLoss) {
  const FeatureSet set = random_set(true, 200, 4, 0.3);
  FitOptions options;
  options.loss = Loss::logistic;
  EXPECT_GT(fit({&set}, options).accuracy.value, 0.85);
}

TEST(HeadFitTest, TheMeanRewardOfPairsIsZeroOnTheTrainingPart) {
  const FeatureSet set = random_set(true, 60, 4, 0.3);
  const Split split = hold_out(set.groups, 0.25, 0);
  const FitResult result = fit({&set});
  double sum = 0;
  for (const std::size_t unit : split.training) {
    sum += result.map(set.features.row(2 * unit)) + result.map(set.features.row(2 * unit + 1));
  }
  EXPECT_NEAR(sum / 90, 0, 1e-4);
}

TEST(HeadFitTest, AFeatureThatNeverVariesGetsNoWeight) {
  FeatureSet set = random_set(false, 60, 3, 0.3);
  for (std::size_t i = 2; i < set.features.values.size(); i += 3) set.features.values[i] = 0.1F;
  EXPECT_EQ(fit({&set}).map.weights[2], 0.0F);
}

TEST(HeadFitTest, RefusesWhatCannotBeFitted) {
  const FeatureSet few = random_set(true, 9, 3, 0.3);
  expect_error(ErrorKind::input, {"too few", "at least 8"}, [&] { fit({&few}); });
  FeatureSet one = random_set(false, 60, 3, 0.3);
  one.labels.assign(60, 1);
  expect_error(ErrorKind::input, {"same", "both classes"}, [&] { fit({&one}); });
  FeatureSet odd = random_set(true, 60, 3, 0.3);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    odd.features.values.assign(odd.features.values.size(), bad);
    expect_error(ErrorKind::input, {"not finite"}, [&] { fit({&odd}); });
  }
  FeatureSet grouped = random_set(true, 60, 3, 0.3);
  for (std::size_t i = 0; i < 60; ++i) grouped.groups[i] = std::to_string(i % 4);
  expect_error(ErrorKind::input, {"5 folds", "there are 3", "--folds"}, [&] { fit({&grouped}); });
}

}  // namespace
}  // namespace tq
