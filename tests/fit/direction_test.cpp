#include "transferq/fit/direction.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/engine/tiny_files.hpp"
#include "tests/fit/random_sets.hpp"

namespace tq {
namespace {

using testing::expect_error;

// Differences along `axis`, the i-th weights[i] of it, with a little noise.
FeatureMatrix along(const std::vector<double>& axis, const std::vector<double>& weights,
                    double noise) {
  FeatureMatrix out{axis.size(), {}};
  for (std::uint32_t i = 0; i < weights.size(); ++i) {
    for (std::uint32_t j = 0; j < axis.size(); ++j) {
      const double blur = noise * testing::normal({.seed = 3, .step = i, .position = j});
      out.values.push_back(static_cast<float>(weights[i] * axis[j] + blur));
    }
  }
  return out;
}

TEST(DirectionTest, MeanByHand) {
  const FeatureMatrix differences{2, {1, 2, 3, -2, 2, 0, -3, 8}};
  const Direction direction = find_direction(differences, DirectionMethod::mean);
  ASSERT_EQ(direction.values.size(), 2u);
  EXPECT_NEAR(direction.values[0], 0.75, 1e-7);
  EXPECT_NEAR(direction.values[1], 2.0, 1e-7);
  EXPECT_NEAR(direction.length, std::sqrt(0.75 * 0.75 + 4), 1e-7);
  EXPECT_DOUBLE_EQ(direction.agreement, 0.75);  // the second points the other way
}

// In the plane the principal axis has a closed form: its angle is half that of
// (sum x^2 - y^2, 2 sum x y).
TEST(DirectionTest, PcaInThePlane) {
  const FeatureMatrix differences{2, {1, 2, 3, -2, 2, 0, -3, 8}};
  const double xx = 1 + 9 + 4 + 9, yy = 4 + 4 + 0 + 64, xy = 2 - 6 + 0 - 24;
  const double angle = std::atan2(2 * xy, xx - yy) / 2;
  const double x = std::cos(angle), y = std::sin(angle);
  const double part = 0.75 * x + 2.0 * y;
  const Direction direction = find_direction(differences, DirectionMethod::pca);
  EXPECT_NEAR(direction.values[0], part * x, 1e-6);
  EXPECT_NEAR(direction.values[1], part * y, 1e-6);
  EXPECT_NEAR(direction.length, std::abs(part), 1e-6);
}

TEST(DirectionTest, PcaFindsThePlantedAxis) {
  for (const std::size_t columns : {4, 40}) {  // fewer and more than there are rows
    std::vector<double> axis(columns, 0.0), weights;
    axis[1] = 0.6;
    axis[3] = -0.8;
    for (int i = 0; i < 12; ++i) weights.push_back(i % 4 == 0 ? -1.0 : 2.0 + i);
    const Direction direction = find_direction(along(axis, weights, 0.01), DirectionMethod::pca);
    double mean = 0;
    for (const double w : weights) mean += w / 12;
    for (std::size_t j = 0; j < columns; ++j) {
      EXPECT_NEAR(direction.values[j], mean * axis[j], 0.02) << j;  // positive is positive
    }
    EXPECT_DOUBLE_EQ(direction.agreement, 0.75);
  }
}

TEST(DirectionTest, OfOnePairBothAreItsDifference) {
  const FeatureMatrix one{3, {1, -2, 0.5F}};
  for (const auto method : {DirectionMethod::mean, DirectionMethod::pca}) {
    const Direction direction = find_direction(one, method);
    for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(direction.values[j], one.values[j], 1e-6);
    EXPECT_EQ(direction.agreement, 1.0);
  }
}

TEST(DirectionTest, OfNoDifferenceThereIsNone) {
  for (const auto method : {DirectionMethod::mean, DirectionMethod::pca}) {
    const Direction direction = find_direction({2, {0, 0, 0, 0}}, method);
    EXPECT_EQ(direction.values, (std::vector<float>{0, 0}));
    EXPECT_EQ(direction.length, 0);
    EXPECT_EQ(direction.agreement, 0);
  }
}

TEST(DirectionTest, BadDifferencesAreErrors) {
  expect_error(ErrorKind::input, {"no pair"}, [] {
    find_direction({2, {}}, DirectionMethod::mean);
  });
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_error(ErrorKind::input, {"not finite"}, [&] {
    find_direction({2, {1, nan}}, DirectionMethod::pca);
  });
}

}  // namespace
}  // namespace tq
