#include "transferq/eval/metrics/normalised.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

using testing::expect_error;

TEST(NormalisedReward, RunsFromPlainToBest) {
  EXPECT_DOUBLE_EQ(normalised_reward(2.5, -1, 6), 0.5);
  EXPECT_EQ(normalised_reward(-1, -1, 6), 0);
  EXPECT_EQ(normalised_reward(6, -1, 6), 1);
  EXPECT_DOUBLE_EQ(normalised_reward(-8, -1, 6), -1);  // worse than plain decoding
}

TEST(NormalisedReward, HasNoScaleWherePlainIsBest) {
  EXPECT_TRUE(std::isnan(normalised_reward(3, 3, 3)));
  EXPECT_TRUE(std::isnan(normalised_reward(2, 3, 3)));
}

TEST(NormalisedReward, RefusesWhatIsNoScale) {
  expect_error(ErrorKind::usage, {"finite", "nan"}, [] { normalised_reward(NAN, 0, 1); });
  expect_error(ErrorKind::usage, {"finite", "inf"}, [] { normalised_reward(0, 0, INFINITY); });
  expect_error(ErrorKind::usage, {"reward 1 is below 2"}, [] { normalised_reward(0, 2, 1); });
  expect_error(ErrorKind::usage, {"reward 1 is below 3"}, [] { normalised_reward(3, 0, 1); });
}

}  // namespace
}  // namespace tq
