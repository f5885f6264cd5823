// The scores of the authors' code against cases computed by hand from its formula.
#include "transferq/decode/official_score.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "transferq/core/logspace.hpp"
#include "transferq/core/random.hpp"

namespace tq {
namespace {

using Numbers = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Each score less the first one's.
Numbers against_first(const Numbers& scores) {
  Numbers out;
  for (const double score : scores) out.push_back(score - scores.front());
  return out;
}

void expect_near(const Numbers& got, const Numbers& expected, double tolerance = 1e-9) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], tolerance) << i;
}

TEST(OfficialScore, DirectIsRewardOverAlphaPlusLogit) {
  // 1/0.5 + 2 = 4;  2/0.5 + 1 = 5;  -1/0.5 + 0 = -2
  expect_near(against_first(official_scores(Numbers{2, 1, 0}, Numbers{1, 2, -1}, 0.5)), {0, 1, -6});
}

TEST(OfficialScore, IndirectByHand) {
  const Numbers logits{2, 1, 0}, target{1, 2, -1}, baseline{0, 2, 1};
  // exp(1/2) * 1 = 1.6487212707;  exp(0) * 2 = 2;  exp(-1) * -1 = -0.3678794412
  // w = 1:   3.6487212707, 3, -0.3678794412
  const Numbers one = official_indirect_scores(logits, target, baseline, 1);
  expect_near(against_first(one), {0, -0.6487212707, -4.0166007119});
  EXPECT_EQ(argmax(one), 0u);
  // w = 10:  18.487212707, 21, -3.678794412
  const Numbers ten = official_indirect_scores(logits, target, baseline, 0.1);
  expect_near(against_first(ten), {0, 2.512787293, -22.166007119}, 1e-8);
  EXPECT_EQ(argmax(ten), 1u);
}

TEST(OfficialScore, IndirectIsNoDirectOneWhereTheRewardsDiffer) {
  // The second is worth more, but the baseline's reward likes it as much:
  // exp(2) * 4 = 29.556224396 against exp(0) * 5 = 5.
  expect_near(
      against_first(official_indirect_scores(Numbers{0, 0}, Numbers{4, 5}, Numbers{0, 5}, 1)),
      {0, 5 - 29.556224396}, 1e-8);
  // With one reward for both it is the direct score.
  const Numbers logits{0.5, -1, 2}, rewards{4, 5, -3};
  expect_near(against_first(official_indirect_scores(logits, rewards, rewards, 0.7)),
              against_first(official_scores(logits, rewards, 0.7)), 1e-12);
}

TEST(OfficialScore, IndirectOfWorthlessCandidatesIsTheLogit) {
  expect_near(official_indirect_scores(Numbers{3, -1}, Numbers{0, 0}, Numbers{7, -9}, 1e-6),
              {3, -1});
}

TEST(OfficialScore, IndirectIsTheFormulaWhereDoublesHoldIt) {
  RandomKey key;
  const auto draw = [&](double scale) {
    ++key.position;
    return scale * (2 * uniform(key) - 1);
  };
  for (int round = 0; round < 2000; ++round) {
    Numbers logits, target, baseline, formula;
    const double alpha = std::exp(draw(3));
    for (int i = 0; i < 4; ++i) {
      logits.push_back(draw(5));
      target.push_back(draw(6));
      baseline.push_back(draw(6));
      formula.push_back(std::exp((target.back() - baseline.back()) / 2) * target.back() / alpha +
                        logits.back());
    }
    const Numbers got = official_indirect_scores(logits, target, baseline, alpha);
    const double size =
        std::abs(*std::max_element(formula.begin(), formula.end(),
                                   [](double a, double b) { return std::abs(a) < std::abs(b); }));
    expect_near(against_first(got), against_first(formula), 1e-13 * (1 + size));
    EXPECT_EQ(argmax(got), argmax(formula));
  }
}

TEST(OfficialScore, ExtremeNumbersKeepTheirOrderAndAreNeverNaN) {
  // exp(5000) * 1e4 and exp(5001) * 9998 are no doubles; the second is the larger.
  const Numbers target{1e4, 9998, 1, -1e4}, baseline{0, -4, 0, -1e4};
  for (const double alpha : {5e-324, 1e-6, 1.0, 1e300}) {
    const Numbers scores = official_indirect_scores(Numbers{9, 1, 9, 9}, target, baseline, alpha);
    EXPECT_EQ(argmax(scores), 1u);
    EXPECT_EQ(scores, (Numbers{-kInfinity, 1, -kInfinity, -kInfinity})) << alpha;
  }
  // Two of equal size: the logits decide between them, and the far worse one is out.
  EXPECT_EQ(official_indirect_scores(Numbers{1, 2, 9}, Numbers{1e4, 1e4, 1e4},
                                     Numbers{-1e4, -1e4, 0}, 1e-6),
            (Numbers{1, 2, -kInfinity}));
  // A hugely bad candidate takes nothing from the difference of two small ones.
  const Numbers beside =
      official_indirect_scores(Numbers{0, 0, 0}, Numbers{1, 2, -1e4}, Numbers{1, 2, -3e4}, 1);
  expect_near({beside[0], beside[1]}, {-1, 0}, 1e-12);
  EXPECT_EQ(beside[2], -kInfinity);
  // All hopeless: the least bad one.
  const Numbers bad =
      official_indirect_scores(Numbers{0, 0}, Numbers{-1e4, -1e4}, Numbers{-2e4, -3e4}, 1);
  EXPECT_EQ(bad, (Numbers{0, -kInfinity}));
}

TEST(OfficialScore, AnInfiniteAlphaLeavesTheLogits) {
  const Numbers logits{1, 3, 2, 0};
  EXPECT_EQ(
      official_indirect_scores(logits, Numbers{5, 0, -5, 1e4}, Numbers{-1e4, 0, 0, 0}, kInfinity),
      logits);
  EXPECT_EQ(official_scores(logits, Numbers{5, 0, -5, 1e4}, kInfinity), logits);
}

}  // namespace
}  // namespace tq
