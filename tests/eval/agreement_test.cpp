#include "transferq/eval/agreement.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "transferq/core/random.hpp"

namespace tq {
namespace {

using Values = std::vector<double>;

TEST(Moments, OfSamples) {
  EXPECT_DOUBLE_EQ(mean_of(Values{1, 2, 6}), 3);
  EXPECT_DOUBLE_EQ(spread_of(Values{1, 2, 6}), std::sqrt(7.0));
  EXPECT_EQ(mean_of({}), 0);
  EXPECT_EQ(spread_of(Values{5}), 0);
}

TEST(AreaUnderCurve, CountsOrderedPairs) {
  Values scores, labels;
  for (std::uint32_t i = 0; i < 60; ++i) {
    // Few values, so that there are ties.
    scores.push_back(std::floor(8 * uniform({.seed = 1, .position = i})));
    labels.push_back(uniform({.seed = 2, .position = i}) < 0.3 + scores.back() / 20 ? 1 : 0);
  }
  double wins = 0, pairs = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (labels[i] != 1 || labels[j] != 0) continue;
      ++pairs;
      wins += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
    }
  }
  EXPECT_NEAR(area_under_curve(scores, labels), wins / pairs, 1e-12);
  EXPECT_EQ(area_under_curve(Values{1, 2}, Values{0, 1}), 1);
  EXPECT_EQ(area_under_curve(Values{2, 1}, Values{0, 1}), 0);
  EXPECT_TRUE(std::isnan(area_under_curve(Values{1, 2}, Values{1, 1})));
}

TEST(CalibrationError, WeighsBinsByTheirSize) {
  // sigmoid(0) = 0.5 thrice, of which one is right; sigmoid(ln 9) = 0.9 once, right.
  const Values scores{0, 0, 0, std::log(9.0) + 1e-9}, labels{1, 0, 0, 1};
  EXPECT_NEAR(calibration_error(scores, labels), (std::abs(1.5 - 1) + 0.1) / 4, 1e-6);
  // Certain and right, certain and wrong; the bin of probability 1 is the last.
  EXPECT_NEAR(calibration_error(Values{800, -800}, Values{1, 0}), 0, 1e-12);
  EXPECT_NEAR(calibration_error(Values{800, -800}, Values{0, 1}), 1, 1e-12);
  EXPECT_TRUE(std::isnan(calibration_error({}, {})));
}

}  // namespace
}  // namespace tq
