#include "transferq/eval/metrics/bootstrap.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

using testing::expect_error;
using Values = std::vector<double>;

double normal(std::uint64_t seed, std::uint32_t i) {  // Box and Muller
  const double u = uniform({
      .seed = seed,
      .position = i,
  });
  const double v = uniform({.seed = seed, .sample = 1, .position = i});
  return std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * M_PI * v);
}

TEST(Bootstrap, OneValueAndEqualValuesHaveNoWidth) {
  const Estimate one = bootstrap_mean(Values{0.1}, 1);
  EXPECT_EQ(one.mean, 0.1);
  EXPECT_EQ(one.low, 0.1);
  EXPECT_EQ(one.high, 0.1);
  EXPECT_EQ(one.n, 1u);
  const Estimate equal = bootstrap_mean(Values(7, 0.1), 1);
  EXPECT_EQ(equal.mean, 0.1);
  EXPECT_EQ(equal.low, 0.1);
  EXPECT_EQ(equal.high, 0.1);
  EXPECT_EQ(equal.n, 7u);
}

TEST(Bootstrap, TwoValuesGiveTheThreeMeansThereAre) {
  // The means 0, 1/2, 1 have chances 1/4, 1/2, 1/4, so both quantiles are the values themselves.
  const Estimate e = bootstrap_mean(Values{0, 1}, 5);
  EXPECT_EQ(e.mean, 0.5);
  EXPECT_EQ(e.low, 0);
  EXPECT_EQ(e.high, 1);
}

TEST(Bootstrap, QuantilesOfABinomialDistribution) {
  // Ten values of which five are 1: a resample's mean is a tenth of Binomial(10, 1/2), whose
  // distribution function is 0.0107 at 1 and 0.0547 at 2, so the quantiles are 0.2 and 0.8.
  const Values values{1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Estimate e = bootstrap_mean(values, seed);
    EXPECT_NEAR(e.low, 0.2, 1e-12) << seed;
    EXPECT_NEAR(e.high, 0.8, 1e-12) << seed;
  }
}

TEST(Bootstrap, DrawsEveryValueAlikeAndIndependently) {
  // Of {0, 0, 3} all three are drawn as 3 with a chance of 1/27 > 2.5%, and as 0 with 8/27.
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_NEAR(bootstrap_mean(Values{0, 0, 3}, seed).high, 3, 1e-12) << seed;
    EXPECT_NEAR(bootstrap_mean(Values{0, 0, 3}, seed).low, 0, 1e-12) << seed;
    // Of {0, 0, 0, 3} with 1/256 < 2.5%, three of four with 12/256 more.
    EXPECT_NEAR(bootstrap_mean(Values{0, 0, 0, 3}, seed).high, 2.25, 1e-12) << seed;
  }
}

TEST(Bootstrap, IsAPureFunctionOfValuesAndSeed) {
  Values values;
  for (std::uint32_t i = 0; i < 50; ++i) values.push_back(normal(9, i));
  const Estimate a = bootstrap_mean(values, 3), b = bootstrap_mean(values, 3);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  const Estimate c = bootstrap_mean(values, 4), d = bootstrap_mean(values, 3 + (1ull << 40));
  EXPECT_NE(a.low, c.low);
  EXPECT_NE(a.low, d.low);
  EXPECT_NEAR(a.low, c.low, 0.03);
  EXPECT_LT(a.low, a.mean);
  EXPECT_LT(a.mean, a.high);
}

// The share of samples of n normal numbers whose interval misses their mean.
double misses(std::uint32_t n) {
  int missed = 0;
  constexpr int kSamples = 1000;
  for (std::uint64_t s = 0; s < kSamples; ++s) {
    Values values;
    for (std::uint32_t i = 0; i < n; ++i) values.push_back(2 + normal(1000 + s, i));
    const Estimate e = bootstrap_mean(values, s, 400);
    if (e.low > 2 || e.high < 2) ++missed;
  }
  return missed / static_cast<double>(kSamples);
}

TEST(Bootstrap, MissesTheMeanAsOftenAsItSays) {
  // Four standard errors of a share of 1000 are 0.046, 0.040 and 0.032.
  EXPECT_NEAR(misses(5), 0.16, 0.046);
  EXPECT_NEAR(misses(10), 0.11, 0.040);
  EXPECT_NEAR(misses(50), 0.07, 0.032);
}

TEST(Bootstrap, RefusesWhatHasNoMean) {
  expect_error(ErrorKind::usage, {"no values"}, [] { bootstrap_mean({}, 1); });
  expect_error(ErrorKind::usage, {"value 2", "not a finite number"}, [] {
    bootstrap_mean(Values{1, NAN}, 1);
  });
  expect_error(ErrorKind::usage, {"value 1", "not a finite number"}, [] {
    bootstrap_mean(Values{INFINITY, 1}, 1);
  });
  expect_error(ErrorKind::usage, {"at least one resample"}, [] {
    bootstrap_mean(Values{1, 2}, 1, 0);
  });
}

}  // namespace
}  // namespace tq
