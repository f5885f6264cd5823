#include "transferq/fit/logistic.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/fit/random_sets.hpp"

namespace tq {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Three rows of four at x = 1 say yes: the minimum has sigmoid(w) - 3/4 + l2 w = 0, so this l2 puts
// it at w = 1/2. As pairs: the chosen one is above the other in three of four.
TEST(LogisticTest, OneWeightIsWhereItsDerivativeIsZero) {
  LogisticProblem problem;
  problem.columns = 1;
  problem.rows = {1, 1, 1, 1};
  problem.targets = {1, 1, 1, -1};
  problem.bias = false;
  problem.l2 = (0.75 - sigmoid(0.5)) / 0.5;
  EXPECT_NEAR(minimise_logistic(problem, {}).at(0), 0.5, 1e-6);
  EXPECT_NEAR(minimise_logistic(problem, {-7}).at(0), 0.5, 1e-6);
  problem.l2 = 1e-9;
  EXPECT_NEAR(minimise_logistic(problem, {}).at(0), std::log(3.0), 1e-5);
}

// One of four at x = 0 and three of four at x = 1: log-odds -ln 3 and ln 3.
TEST(LogisticTest, TheBiasIsNotPenalised) {
  LogisticProblem problem;
  problem.columns = 1;
  problem.rows = {0, 0, 0, 0, 1, 1, 1, 1};
  problem.targets = {1, -1, -1, -1, 1, 1, 1, -1};
  problem.l2 = 1e-9;
  const auto point = minimise_logistic(problem, {});
  EXPECT_NEAR(point.at(0), 2 * std::log(3.0), 1e-4);
  EXPECT_NEAR(point.at(1), -std::log(3.0), 1e-4);
  // Under a heavy penalty nothing is left but the bias, the log-odds of all.
  problem.targets = {1, 1, 1, -1, 1, 1, 1, -1};
  problem.l2 = 1e6;
  const auto flat = minimise_logistic(problem, {});
  EXPECT_NEAR(flat.at(0), 0, 1e-6);
  EXPECT_NEAR(flat.at(1), std::log(3.0), 1e-5);
}

TEST(LogisticTest, TheGradientIsThatOfTheObjective) {
  for (const bool bias : {false, true}) {
    LogisticProblem problem;
    problem.columns = 5;
    problem.bias = bias;
    problem.l2 = 0.3;
    std::uint32_t drawn = 0;
    const auto draw = [&] { return testing::normal({.seed = 3, .position = drawn++}); };
    for (int i = 0; i < 20; ++i) {
      for (int j = 0; j < 5; ++j) problem.rows.push_back(draw() * 3);
      problem.targets.push_back(draw() > 0 ? 1 : -1);
    }
    std::vector<double> point(bias ? 6 : 5), gradient(point.size()), unused(point.size());
    for (double& x : point) x = draw();
    logistic_objective(problem, point, gradient);
    for (std::size_t j = 0; j < point.size(); ++j) {
      const double step = 1e-5;
      std::vector<double> up = point, down = point;
      up[j] += step;
      down[j] -= step;
      const double slope =
          (logistic_objective(problem, up, unused) - logistic_objective(problem, down, unused)) /
          (2 * step);
      EXPECT_NEAR(gradient[j], slope, 1e-8);
    }
  }
}

TEST(LogisticTest, HugeMarginsDoNotOverflow) {
  LogisticProblem problem;
  problem.columns = 1;
  problem.rows = {1e4, -1e4};
  problem.targets = {1, 1};
  problem.bias = false;
  problem.l2 = 0;
  std::vector<double> gradient(1);
  EXPECT_DOUBLE_EQ(logistic_objective(problem, std::vector{1.0}, gradient), 5e3);
  EXPECT_DOUBLE_EQ(gradient[0], 5e3);
}

}  // namespace
}  // namespace tq
