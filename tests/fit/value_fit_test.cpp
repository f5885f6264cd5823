// Values learned from steps whose answer the test knows: what the regression finds, what a strong
// penalty leaves of it, what the check says, and the distribution over levels.
#include "transferq/fit/value_fit.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "tests/engine/tiny_files.hpp"
#include "tests/fit/random_sets.hpp"
#include "transferq/fit/head_fit.hpp"
#include "transferq/fit/level_fit.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::normal;

constexpr std::size_t kColumns = 5;
constexpr std::size_t kWide = 6;  // candidates a step

// 20 steps of each prompt. A candidate's value is `value(state)` plus noise plus what its prompt
// and step add to all of them, which no state tells.
ValueRows random_rows(std::size_t prompts, double noise,
                      const std::function<double(std::span<const float>)>& value,
                      const std::function<double(std::span<const float>)>& one_step) {
  ValueRows rows;
  rows.states.columns = kColumns;
  rows.first.push_back(0);
  for (std::uint32_t step = 0; step < 20 * prompts; ++step) {
    const double level = 10 * normal({.seed = 5, .step = step});
    for (std::uint32_t c = 0; c < kWide; ++c) {
      std::vector<float> state;
      for (std::uint32_t j = 0; j < kColumns; ++j) {
        const RandomKey key{.seed = 1, .step = step, .candidate = c, .position = j};
        state.push_back(static_cast<float>((1 + j) * normal(key) + level * (j + 1)));
      }
      const RandomKey key{.seed = 2, .step = step, .candidate = c};
      rows.values.push_back(value(state) + level + noise * normal(key));
      rows.logprobs.push_back(-0.5 * c);
      rows.one_step.push_back(one_step(state));
      rows.states.values.insert(rows.states.values.end(), state.begin(), state.end());
    }
    rows.first.push_back(rows.values.size());
    rows.groups.push_back("prompt " + std::to_string(step / 20));
  }
  return rows;
}

double useful(std::span<const float> h) { return 0.5 * double{h[0]} - 0.25 * double{h[2]}; }
double other(std::span<const float> h) { return double{h[1]} + 0.5 * double{h[0]}; }

std::vector<std::size_t> all_steps(const ValueRows& rows) {
  std::vector<std::size_t> out(rows.steps());
  std::iota(out.begin(), out.end(), std::size_t{0});
  return out;
}

TEST(ValueFitTest, FindsWhatTellsTheCandidatesOfAStepApart) {
  const ValueRows rows = random_rows(12, 0.1, useful, other);
  const ValueFit fit = fit_value(rows, all_steps(rows), {});
  EXPECT_EQ(fit.trials.size(), 11u);
  const std::vector<double> expected{0.5, 0, -0.25, 0, 0};
  for (std::size_t j = 0; j < kColumns; ++j) {
    EXPECT_NEAR(fit.mean.weights[j], expected[j], 0.01) << j;
  }
  // The bias makes it right on the whole.
  double off = 0;
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    off += rows.values[i] - fit.mean(rows.states.row(i));
  }
  EXPECT_NEAR(off / static_cast<double>(rows.rows()), 0, 1e-4);
}

TEST(ValueFitTest, AStrongPenaltyLeavesTheRewardWhereTheStateHasIt) {
  const auto value = [](std::span<const float> h) { return 2 * other(h); };
  const ValueRows rows = random_rows(8, 0.1, value, other);
  const ValueFit fit = fit_value(rows, all_steps(rows), {.l2 = 1e6});
  EXPECT_TRUE(fit.from_reward);
  EXPECT_EQ(fit.l2, 1e6);
  const std::vector<double> expected{1, 2, 0, 0, 0};
  for (std::size_t j = 0; j < kColumns; ++j) {
    EXPECT_NEAR(fit.mean.weights[j], expected[j], 0.02) << j;
  }
}

TEST(ValueFitTest, ARewardThatTheStateDoesNotHaveLeavesNothing) {
  const auto square = [](std::span<const float> h) { return double{h[1]} * double{h[1]}; };
  ValueRows rows = random_rows(8, 0.1, useful, square);
  const ValueFit fit = fit_value(rows, all_steps(rows), {.l2 = 1e6});
  EXPECT_FALSE(fit.from_reward);
  for (const float w : fit.mean.weights) EXPECT_NEAR(w, 0, 1e-4);
  rows.one_step.clear();  // nor one that scores no unfinished response
  EXPECT_FALSE(fit_value(rows, all_steps(rows), {}).from_reward);
}

TEST(ValueFitTest, TheCheckIsByWhatRollOutsSayOfThePick) {
  const ValueRows rows = random_rows(10, 0, useful, other);
  const Split split = hold_out(rows.groups, 0.3, 3);
  EXPECT_EQ(split.held_out.size() % 20, 0u);  // whole prompts
  LinearMap exact;
  exact.weights = {0.5F, 0, -0.25F, 0, 0};
  const ValueCheck check = check_value(rows, split.held_out, exact, 0);
  EXPECT_EQ(check.steps, split.held_out.size());
  EXPECT_EQ(check.prompts, split.held_out.size() / 20);
  EXPECT_NEAR(check.correlation, 1, 1e-9);
  EXPECT_NEAR(check.gain.mean, check.gain_best.mean, 1e-9);
  EXPECT_GT(check.gain.mean, 0.3);
  EXPECT_NEAR(check.over_one_step.mean, check.gain.mean - check.gain_one_step.mean, 1e-9);
  EXPECT_GT(check.over_one_step.low, 0);
  LinearMap wrong = exact;
  for (float& w : wrong.weights) w = -w;
  EXPECT_NEAR(check_value(rows, split.held_out, wrong, 0).correlation, -1, 1e-9);
  EXPECT_LT(check_value(rows, split.held_out, wrong, 0).over_one_step.high, 0);
}

TEST(ValueFitTest, RefusesWhatCannotBeFitted) {
  ValueRows few = random_rows(4, 0.1, useful, other);
  expect_error(ErrorKind::input, {"4 prompts", "too few for 5 folds"},
               [&] { fit_value(few, all_steps(few), {}); });
  ValueRows rows = random_rows(8, 0.1, useful, other);
  rows.values[3] = std::numeric_limits<double>::quiet_NaN();
  expect_error(ErrorKind::input, {"no finite number"},
               [&] { fit_value(rows, all_steps(rows), {}); });
}

TEST(ValueFitTest, RankCorrelationIsSpearmans) {
  const std::vector<double> rising{1, 2, 3, 4, 5};
  EXPECT_DOUBLE_EQ(rank_correlation(rising, std::vector<double>{0, 1, 10, 11, 100}), 1);
  EXPECT_DOUBLE_EQ(rank_correlation(rising, std::vector<double>{5, 4, 3, 2, 1}), -1);
  // 1 - 6 sum d^2 / (n (n^2 - 1)) with d = 0, 1, -1, 1, -1.
  EXPECT_DOUBLE_EQ(rank_correlation(rising, std::vector<double>{1, 3, 2, 5, 4}), 1 - 24.0 / 120);
  EXPECT_DOUBLE_EQ(rank_correlation(rising, std::vector<double>{7, 7, 7, 7, 7}), 0);
  EXPECT_DOUBLE_EQ(rank_correlation(std::vector<double>{1, 1, 2}, std::vector<double>{3, 3, 9}), 1);
}

TEST(LevelFitTest, TheGradientIsTheObjectives) {
  LevelProblem problem{2, 3, {1, 2, -1, 0.5, 0.25, -2, 0, 1}, {0, 2, 1, 2}, 0.3};
  std::vector<double> point{0.1, -0.2, 0.3, 0.5, -0.4, 0.2, 0.05, -0.1, 0.3}, gradient(9),
      ignored(9);
  level_objective(problem, point, gradient);
  for (std::size_t i = 0; i < point.size(); ++i) {
    std::vector<double> up = point, down = point;
    up[i] += 1e-6;
    down[i] -= 1e-6;
    const double slope =
        (level_objective(problem, up, ignored) - level_objective(problem, down, ignored)) / 2e-6;
    EXPECT_NEAR(gradient[i], slope, 1e-8) << i;
  }
}

// Values of four sizes that the first component tells.
TEST(LevelFitTest, FindsTheDistribution) {
  FeatureMatrix states{2, {}};
  std::vector<double> values;
  std::vector<std::size_t> rows;
  for (std::uint32_t i = 0; i < 400; ++i) {
    const std::uint32_t level = i % 4;
    states.values.push_back(static_cast<float>(level + 0.1 * normal({.seed = 1, .step = i})));
    states.values.push_back(static_cast<float>(normal({.seed = 2, .step = i})));
    values.push_back(level * level);
    rows.push_back(i);
  }
  const LevelHead head = fit_levels(states, values, rows, 4, 1e-3);
  EXPECT_EQ(head.levels, (std::vector<float>{0, 1, 4, 9}));
  EXPECT_LT(level_loss(head, states, values, rows), 0.2);
  EXPECT_NEAR(level_loss(fit_levels(states, values, rows, 4, 1e6), states, values, rows),
              std::log(4.0), 1e-3);
  // No more levels than there are different values.
  EXPECT_EQ(fit_levels(states, values, rows, 40, 1e-2).levels.size(), 4u);
}

}  // namespace
}  // namespace tq
