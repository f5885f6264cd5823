#include "transferq/eval/metrics/paired_test.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

using testing::expect_error;
using Values = std::vector<double>;

double p_of(const Values& differences, std::uint64_t seed = 1) {
  return paired_permutation_test(differences, seed);
}

TEST(PairedTest, ByHand) {
  // Of the eight sums of +-1 +-2 +-3, only 6 and -6 are as far from 0 as 6 is; 4 is reached by 4.
  EXPECT_EQ(p_of({1, 2, 3}), 2.0 / 8);
  EXPECT_EQ(p_of({-1, 2, 3}), 4.0 / 8);
  EXPECT_EQ(p_of({1, 2, -3}), 1);
  EXPECT_EQ(p_of({5}), 1);
  EXPECT_EQ(p_of({1, 1, 1, 1, 1, 1}), 2.0 / 64);
}

TEST(PairedTest, TiesCountThoughTheyAreRounded) {
  // Five of six alike: 12 patterns have one sign apart from the others, 2 none.
  EXPECT_EQ(p_of({0.1, 0.1, 0.1, 0.1, 0.1, -0.1}), 14.0 / 64);
  // 0.1 + 0.2 - 0.3 is not 0 in binary, and as far from 0 as its opposite and every other sum.
  EXPECT_EQ(p_of({0.1, 0.2, -0.3}), 1);
}

TEST(PairedTest, ZerosChangeNothingAndNothingIsNoEvidence) {
  EXPECT_EQ(p_of({0, 1, 0, 2, 3, 0}), p_of({1, 2, 3}));
  EXPECT_EQ(p_of({}), 1);
  EXPECT_EQ(p_of({0, 0, 0}), 1);
}

TEST(PairedTest, IsTwoSidedAndBlindToScaleAndOrder) {
  Values a{0.3, -0.1, 0.7, 0.2, 0.9, -0.4, 0.5, 0.05};
  const double p = p_of(a);
  EXPECT_GT(p, 0.01);
  EXPECT_LT(p, 0.5);
  for (double& x : a) x *= -1000;
  EXPECT_EQ(p_of(a), p);
  std::reverse(a.begin(), a.end());
  EXPECT_EQ(p_of(a), p);
}

// The chance that |Binomial(n, 1/2) - n/2| is at least k.
double binomial_tail(int n, double k) {
  double sum = 0, choose = 1;
  for (int i = 0; i <= n; ++i) {
    if (std::abs(i - n / 2.0) >= k) sum += choose;
    choose *= static_cast<double>(n - i) / (i + 1);
  }
  return std::ldexp(sum, -n);
}

TEST(PairedTest, SampledIsNearTheExactSignTest) {
  // Equal differences make it the sign test.
  for (const int n : {14, 15, 40, 130, 300}) {
    const int more = n / 2 + static_cast<int>(std::sqrt(n));
    Values differences;
    for (int i = 0; i < n; ++i) differences.push_back(i < more ? 0.7 : -0.7);
    const double right = binomial_tail(n, more - n / 2.0);
    const double error = n > 14 ? 4 * std::sqrt(right / 20000) + 1e-4 : 1e-12;
    EXPECT_NEAR(p_of(differences), right, error) << n;
  }
}

TEST(PairedTest, SampledIsAPureFunctionOfTheSeedAndNeverZero) {
  const Values same(30, 2.5);
  EXPECT_EQ(p_of(same), 1.0 / 20001);
  Values mixed;
  for (std::uint32_t i = 0; i < 30; ++i) mixed.push_back(uniform({.position = i}) - 0.4);
  EXPECT_EQ(p_of(mixed, 7), p_of(mixed, 7));
  EXPECT_NE(p_of(mixed, 7), p_of(mixed, 8));
  EXPECT_NE(p_of(mixed, 7), p_of(mixed, 7 + (1ull << 40)));
}

TEST(PairedTest, FalseAlarmsAreAsRareAsPSays) {
  // 600 samples without an effect, exact and sampled: p below 0.05 in 5% of them, +- 0.9%.
  for (const std::uint32_t n : {10u, 25u}) {
    int alarms = 0;
    for (std::uint64_t s = 0; s < 600; ++s) {
      Values d;
      for (std::uint32_t i = 0; i < n; ++i) d.push_back(uniform({.seed = s, .position = i}) - 0.5);
      if (paired_permutation_test(d, s, 400) <= 0.05) ++alarms;
    }
    EXPECT_GT(alarms, 12) << n;
    EXPECT_LT(alarms, 51) << n;
  }
}

TEST(PairedTest, RefusesWhatIsNoNumber) {
  expect_error(ErrorKind::usage, {"value 3", "differences"}, [] { p_of({1, 2, NAN}); });
  expect_error(ErrorKind::usage, {"value 1", "differences"}, [] { p_of({-INFINITY}); });
  expect_error(ErrorKind::usage, {"at least one permutation"},
               [] { paired_permutation_test(Values{1}, 1, 0); });
}

TEST(Holm, ByHand) {
  // In order 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1, never below the one before.
  const auto adjusted = holm(Values{0.01, 0.04, 0.03, 0.005});
  const Values right{0.03, 0.06, 0.06, 0.02};
  ASSERT_EQ(adjusted.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(adjusted[i], right[i], 1e-15) << i;
}

TEST(Holm, EdgeCases) {
  EXPECT_TRUE(holm({}).empty());
  EXPECT_EQ(holm(Values{0.2}), Values{0.2});
  EXPECT_EQ(holm(Values{0.9, 0.6}), (Values{1, 1}));
  EXPECT_EQ(holm(Values{0.25, 0.25}), (Values{0.5, 0.5}));
  EXPECT_EQ(holm(Values{0, 1}), (Values{0, 1}));
  for (const double bad : Values{NAN, -0.1, 1.1}) {
    expect_error(ErrorKind::usage, {"from 0 to 1"}, [&] { holm(Values{0.5, bad}); });
  }
}

}  // namespace
}  // namespace tq
