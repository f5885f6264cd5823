#include "transferq/core/logspace.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tq {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
using Doubles = std::vector<double>;
using Indices = std::vector<std::size_t>;

TEST(LogSumExp, KnownValues) {
  EXPECT_EQ(log_sum_exp({}), -kInf);
  EXPECT_EQ(log_sum_exp(Doubles{-3.5}), -3.5);
  EXPECT_DOUBLE_EQ(log_sum_exp(Doubles{std::log(1.0), std::log(2.0), std::log(5.0)}),
                   std::log(8.0));
  EXPECT_DOUBLE_EQ(log_sum_exp(Doubles{-kInf, 2.0}), 2.0);
  EXPECT_EQ(log_sum_exp(Doubles{-kInf, -kInf}), -kInf);
}

TEST(LogSumExp, NeitherOverflowsNorUnderflows) {
  EXPECT_DOUBLE_EQ(log_sum_exp(Doubles{1e4, 1e4}), 1e4 + std::log(2.0));
  EXPECT_DOUBLE_EQ(log_sum_exp(Doubles{-1e4, -1e4}), -1e4 + std::log(2.0));
}

TEST(LogSoftmax, KeepsZeroProbability) {
  const Doubles p = softmax(Doubles{0.0, -kInf, std::log(3.0)});
  EXPECT_DOUBLE_EQ(p[0], 0.25);
  EXPECT_EQ(p[1], 0.0);
  EXPECT_DOUBLE_EQ(p[2], 0.75);
}

TEST(Entropy, KnownValues) {
  EXPECT_DOUBLE_EQ(entropy(Doubles{3, 3, 3, 3}), std::log(4.0));
  EXPECT_EQ(entropy(Doubles{-kInf, 5, -kInf}), 0.0);
  EXPECT_DOUBLE_EQ(entropy(Doubles{std::log(0.75), std::log(0.25)}),
                   -0.75 * std::log(0.75) - 0.25 * std::log(0.25));
  EXPECT_EQ(entropy(Doubles{1e4, -1e4}), 0.0);
}

RC_GTEST_PROP(LogSoftmax, IsADistributionAndIgnoresShifts, ()) {
  const auto integers =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(-30000, 30000)));
  const double shift = *rc::gen::inRange(-500, 500);
  Doubles x, shifted;
  for (const int i : integers) {
    x.push_back(i / 1000.0);
    shifted.push_back(i / 1000.0 + shift);
  }
  const Doubles p = softmax(x);
  RC_ASSERT(std::abs(std::accumulate(p.begin(), p.end(), 0.0) - 1.0) < 1e-12);
  const Doubles a = log_softmax(x), b = log_softmax(shifted);
  for (std::size_t i = 0; i < x.size(); ++i) RC_ASSERT(std::abs(a[i] - b[i]) < 1e-11);
}

TEST(Argmax, TiesGoToTheLowerIndex) {
  EXPECT_EQ(argmax(Doubles{1, 3, 3, 2}), 1u);
  EXPECT_EQ(argmax(std::vector<float>{-1, -1}), 0u);
  EXPECT_EQ(argmax(Doubles{-kInf, -1}), 1u);
  EXPECT_EQ(argmax(Doubles{}), 0u);
}

TEST(TopK, LargestFirstTiesToTheLowerIndex) {
  const Doubles x{0.5, 2, -1, 2, 0.5};
  EXPECT_EQ(top_k(x, 0), Indices{});
  EXPECT_EQ(top_k(x, 3), (Indices{1, 3, 0}));
  EXPECT_EQ(top_k(x, 9), (Indices{1, 3, 0, 4, 2}));
}

RC_GTEST_PROP(TopK, IsTheHeadOfAStableSort, ()) {
  const auto integers =
      *rc::gen::container<std::vector<int>>(rc::gen::inRange(-5, 5));  // few values: many ties
  const auto k = *rc::gen::inRange<std::size_t>(0, 12);
  const Doubles x(integers.begin(), integers.end());
  Indices order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return x[a] > x[b]; });
  order.resize(std::min(k, order.size()));
  RC_ASSERT(top_k(x, k) == order);
  if (!x.empty()) RC_ASSERT(top_k(x, 1) == Indices{argmax(x)});
}

TEST(Sample, InvertsTheCumulativeDistribution) {
  // Probabilities 0.25, 0, 0.5, 0.25, with weights unnormalised.
  const Doubles w{std::log(1.0) + 7, -kInf, std::log(2.0) + 7, std::log(1.0) + 7};
  EXPECT_EQ(sample(w, 0.0), 0u);
  EXPECT_EQ(sample(w, 0.2499), 0u);
  EXPECT_EQ(sample(w, 0.2501), 2u);
  EXPECT_EQ(sample(w, 0.7499), 2u);
  EXPECT_EQ(sample(w, 0.7501), 3u);
  EXPECT_EQ(sample(w, std::nextafter(1.0, 0.0)), 3u);
}

TEST(Sample, NeverGivesWhatHasNoWeight) {
  const Doubles w{-kInf, 0.0, -kInf};
  for (const double u : {0.0, 0.3, std::nextafter(1.0, 0.0)}) EXPECT_EQ(sample(w, u), 1u);
  // Even where u times the sum rounds up to the sum.
  const Doubles many{0.1, 0.2, 0.3, 0.15, -kInf};
  EXPECT_EQ(sample(many, std::nextafter(1.0, 0.0)), 3u);
  EXPECT_EQ(sample(many, 1.0), 3u);
}

}  // namespace
}  // namespace tq
