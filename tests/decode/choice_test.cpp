#include "transferq/decode/choice.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "transferq/core/logspace.hpp"

namespace tq {
namespace {

using Numbers = std::vector<double>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Numbers logs(Numbers p) {
  for (double& x : p) x = std::log(x);
  return p;
}

double sum(const Numbers& p) {
  double s = 0;
  for (const double x : p) s += x;
  return s;
}

TEST(Candidates, AreTheMostProbableFirstTiesToTheLower) {
  const Numbers p = logs({0.1, 0.3, 0.2, 0.3, 0.1});
  EXPECT_EQ(candidates(p, 3), (std::vector<std::size_t>{1, 3, 2}));
  EXPECT_EQ(candidates(p, 4), (std::vector<std::size_t>{1, 3, 2, 0}));
  EXPECT_EQ(candidates(p, 99).size(), 5u);
}

TEST(Candidates, ExcludeTokensOfProbabilityZero) {
  EXPECT_EQ(candidates(logs({0, 0.4, 0, 0.6}), 3), (std::vector<std::size_t>{3, 1}));
}

TEST(Reweight, TiltsTheProposalByTheValues) {
  const Numbers p = reweight(logs({0.5, 0.3, 0.2}), Numbers{1, 2, 3}, 2.0);
  const Numbers w{0.5 * std::exp(0.5), 0.3 * std::exp(1.0), 0.2 * std::exp(1.5)};
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(p[i], w[i] / sum(w), 1e-15);
}

TEST(Reweight, DependsOnNeitherTheScaleOfTheProposalNorAConstantInTheValues) {
  const Numbers p = reweight(logs({0.5, 0.3, 0.2}), Numbers{1, 2, 3}, 2.0);
  const Numbers q = reweight(logs({5, 3, 2}), Numbers{-99, -98, -97}, 2.0);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(p[i], q[i], 1e-14);
}

TEST(Reweight, InfiniteAlphaGivesTheProposal) {
  const Numbers p = reweight(logs({0.2, 0.6}), Numbers{1e4, -1e4}, kInfinity);
  EXPECT_NEAR(p[0], 0.25, 1e-15);
  EXPECT_NEAR(p[1], 0.75, 1e-15);
}

TEST(Reweight, EqualValuesGiveTheProposal) {
  const Numbers p = reweight(logs({0.25, 0.75}), Numbers{1e4, 1e4}, 1e-6);
  EXPECT_NEAR(p[0], 0.25, 1e-15);
}

TEST(Reweight, AnyFiniteValuesAndAlphasGiveADistribution) {
  for (const double alpha : {5e-324, 1e-300, 1e-6, 1.0, 1e300, kInfinity}) {
    for (const double big : {0.0, 1e4, 1e300, 1.7e308}) {
      const Numbers p = reweight(logs({1e-300, 0.7, 0.3, 1e-12}), Numbers{big, -big, 0, 1}, alpha);
      for (const double x : p) {
        EXPECT_TRUE(std::isfinite(x)) << alpha << " " << big;
        EXPECT_GE(x, 0.0);
      }
      EXPECT_NEAR(sum(p), 1.0, 1e-12) << alpha << " " << big;
    }
  }
}

TEST(Reweight, TinyAlphaTakesTheHighestValueAndTiesShareByTheProposal) {
  const Numbers p = reweight(logs({0.9, 0.08, 0.02}), Numbers{-1e4, 1e4, 1e4}, 1e-6);
  EXPECT_EQ(p[0], 0.0);
  EXPECT_NEAR(p[1], 0.8, 1e-12);
  EXPECT_NEAR(p[2], 0.2, 1e-12);
}

TEST(Choose, GreedyTakesTheMostProbableTiesToTheFirst) {
  EXPECT_EQ(choose(Numbers{0.2, 0.4, 0.4}, Choose::greedy, 0.99), 1u);
}

TEST(Choose, SamplingInvertsTheCumulativeDistribution) {
  const Numbers p{0.25, 0.0, 0.5, 0.25};
  EXPECT_EQ(choose(p, Choose::sample, 0.0), 0u);
  EXPECT_EQ(choose(p, Choose::sample, 0.2499), 0u);
  EXPECT_EQ(choose(p, Choose::sample, 0.2501), 2u);
  EXPECT_EQ(choose(p, Choose::sample, 0.7499), 2u);
  EXPECT_EQ(choose(p, Choose::sample, 1.0 - 0x1p-53), 3u);
}

TEST(Choose, SamplingNeverTakesWhatHasNoProbability) {
  const Numbers p{0.0, 1.0, 0.0};
  for (const double u : {0.0, 0.5, 1.0 - 0x1p-53}) EXPECT_EQ(choose(p, Choose::sample, u), 1u);
}

TEST(KlDivergence, IsTheSumOverTheCandidates) {
  const Numbers p{0.5, 0.5, 0.0};
  EXPECT_NEAR(kl_divergence(p, logs({0.25, 0.5, 0.25})), 0.5 * std::log(2), 1e-15);
  EXPECT_EQ(kl_divergence(p, logs(p)), 0.0);
}

TEST(KlDivergence, OfACertainChoiceIsItsSurprise) {
  EXPECT_NEAR(kl_divergence(Numbers{0, 1}, logs({0.9, 0.1})), -std::log(0.1), 1e-15);
}

TEST(KlDivergence, IsInfiniteWhereTheReferenceNeverGoes) {
  EXPECT_EQ(kl_divergence(Numbers{0.5, 0.5}, logs({1, 0})), kInfinity);
}

}  // namespace
}  // namespace tq
