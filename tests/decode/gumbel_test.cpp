// Draws by Gumbel-max: the law, who may win, and how far the law can be from the reference.
#include "transferq/decode/gumbel.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "transferq/core/logspace.hpp"

namespace tq {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Numbers that differ from run to run and from name to name.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : seed_(seed) {}
  double operator()() { return uniform({.seed = seed_, .position = ++count_}); }

 private:
  std::uint64_t seed_;
  std::uint32_t count_ = 0;
};

Candidates random_candidates(Dice& dice, std::size_t count, bool same_reference) {
  Candidates out;
  std::vector<double> logits, others;
  for (std::size_t i = 0; i < count; ++i) {
    out.tokens.push_back(static_cast<Token>(3 * i + 1));
    logits.push_back(4 * dice());
    others.push_back(same_reference ? logits.back() : 4 * dice());
  }
  out.logprobs = log_softmax(logits);
  out.reference = log_softmax(others);
  return out;
}

TEST(GumbelTest, TheNoiseIsStandardGumbel) {
  const std::vector<Token> tokens{5, 9};
  double sum = 0, squares = 0, product = 0;
  constexpr std::uint32_t kRuns = 20000;
  for (std::uint32_t step = 0; step < kRuns; ++step) {
    const auto noise = gumbel_noise(tokens, {.seed = 1, .step = step});
    const double a = noise[0] - std::numbers::egamma, b = noise[1] - std::numbers::egamma;
    sum += a + b;
    squares += a * a + b * b;
    product += a * b;
  }
  const double variance = std::numbers::pi * std::numbers::pi / 6;
  EXPECT_NEAR(sum / (2 * kRuns), 0, 4 * std::sqrt(variance / (2 * kRuns)));
  EXPECT_NEAR(squares / (2 * kRuns), variance, 0.08);
  EXPECT_NEAR(product / kRuns, 0, 4 * variance / std::sqrt(kRuns));
  // Of a token alone, whoever else is a candidate.
  const std::vector<Token> other{9, 2};
  EXPECT_EQ(gumbel_noise(tokens, {.step = 3})[1], gumbel_noise(other, {.step = 3})[0]);
}

TEST(GumbelTest, TheDrawIsOfTheTiltedLaw) {
  Dice dice(1);
  const Candidates all = random_candidates(dice, 5, true);
  std::vector<double> values;
  for (std::size_t i = 0; i < 5; ++i) values.push_back(dice());
  for (const Range range : {Range{0, 1}, Range{}}) {
    for (const double alpha : {0.3, 2.0, kInfinity}) {
      std::vector<double> counts(5, 0);
      constexpr std::uint32_t kRuns = 20000;
      for (std::uint32_t step = 0; step < kRuns; ++step) {
        const GumbelDraw draw(all, range, alpha, {.seed = 2, .step = step});
        std::vector<double> left;
        for (const Token token : draw.left().tokens) {
          left.push_back(values[static_cast<std::size_t>(token) / 3]);
        }
        const Token chosen = draw.left().tokens[draw.choose(left)];
        ++counts[static_cast<std::size_t>(chosen) / 3];
      }
      const std::vector<double> law = reweight(all.logprobs, values, alpha);
      for (std::size_t i = 0; i < 5; ++i) {
        const double error = std::sqrt(law[i] * (1 - law[i]) / kRuns);
        EXPECT_NEAR(counts[i] / kRuns, law[i], 4.5 * error + 1e-12) << alpha << " " << i;
      }
    }
  }
}

// Whoever is left out loses whatever the values are; whoever is left would win with some.
TEST(GumbelTest, ThoseThatMayWinAreLeft) {
  std::size_t left_out = 0;
  for (std::uint32_t run = 0; run < 300; ++run) {
    Dice dice(run);
    const Candidates all = random_candidates(dice, 6, true);
    const Range range{-1, 2};
    const double alpha = 0.3 + 3 * dice();
    const std::vector<double> noise = gumbel_noise(all.tokens, {.seed = run});
    const std::vector<bool> may = may_win(all.logprobs, noise, range, alpha);
    for (std::size_t i = 0; i < 6; ++i) {
      std::vector<double> score;
      for (std::size_t j = 0; j < 6; ++j) {
        score.push_back(all.logprobs[j] + noise[j] + (i == j ? range.high : range.low) / alpha);
      }
      EXPECT_EQ(may[i], argmax(score) == i);
      left_out += may[i] ? 0 : 1;
    }
  }
  EXPECT_GT(left_out, 100u);
  EXPECT_LT(left_out, 1500u);
}

TEST(GumbelTest, WithoutBoundsAllMayWin) {
  Dice dice(3);
  const Candidates all = random_candidates(dice, 6, true);
  for (const Range range : {Range{}, Range{0, kInfinity}, Range{-kInfinity, 0}}) {
    EXPECT_EQ(GumbelDraw(all, range, 1, {}).left().tokens, all.tokens);
  }
  // Values that count nothing are known beforehand.
  EXPECT_EQ(GumbelDraw(all, {0, 1}, kInfinity, {}).left().tokens.size(), 1u);
}

TEST(GumbelTest, KlIsExactWhereAllIsKnown) {
  for (std::uint32_t run = 0; run < 50; ++run) {
    Dice dice(run);
    const Candidates all = random_candidates(dice, 5, run % 2 == 0);
    std::vector<double> values;
    for (std::size_t i = 0; i < 5; ++i) values.push_back(dice() * 3 - 1);
    for (const double alpha : {1e-300, 1e-3, 0.5, 1e6, kInfinity}) {
      const double exact = kl_divergence(reweight(all.logprobs, values, alpha), all.reference);
      EXPECT_NEAR(kl_at_most(all, values, {-1, 2}, alpha), exact, 1e-9) << run << " " << alpha;
    }
  }
}

TEST(GumbelTest, KlIsTheMostThatItCanBe) {
  const Range range{-1, 2};
  for (std::uint32_t run = 0; run < 50; ++run) {
    Dice dice(run);
    const Candidates all = random_candidates(dice, 5, run % 2 == 0);
    const double alpha = 0.2 + 2 * dice();
    std::vector<double> values{kUnknown, 3 * dice() - 1, kUnknown, 3 * dice() - 1, 3 * dice() - 1};
    const auto kl = [&] {
      return kl_divergence(reweight(all.logprobs, values, alpha), all.reference);
    };
    // Of two that are not known, and of one, where it is one of the ends.
    const double bound = kl_at_most(all, values, range, alpha);
    for (int i = 0; i <= 20; ++i) {
      for (int j = 0; j <= 20; ++j) {
        values[0] = range.low + 0.15 * i;
        values[2] = range.low + 0.15 * j;
        EXPECT_LE(kl(), bound + 1e-12);
      }
    }
    values[0] = kUnknown;
    const double one = kl_at_most(all, values, range, alpha);
    values[0] = range.low;
    const double lower = kl();
    values[0] = range.high;
    EXPECT_NEAR(one, std::max(lower, kl()), 1e-9);
  }
}

// Of many equal ones that are not known: some at the upper end and the others at the lower.
TEST(GumbelTest, KlOfManyIsReached) {
  const Range range{-1, 2};
  constexpr std::size_t kMany = 400;
  for (std::uint32_t run = 0; run < 50; ++run) {
    Dice dice(run);
    Candidates all = random_candidates(dice, 3, run % 2 == 0);
    const double alpha = 0.2 + 2 * dice();
    std::vector<double> values{3 * dice() - 1, 3 * dice() - 1};
    all.tokens.resize(2 + kMany);
    all.logprobs.resize(2 + kMany, all.logprobs[2] -= std::log(kMany));
    all.reference.resize(2 + kMany, all.reference[2] -= std::log(kMany));
    values.resize(2 + kMany, kUnknown);
    const double bound = kl_at_most(all, values, range, alpha);
    std::fill(values.begin() + 2, values.end(), range.low);
    double most = -kInfinity;
    for (std::size_t upper = 0; upper <= kMany; ++upper) {
      if (upper > 0) values[1 + upper] = range.high;
      most = std::max(most, kl_divergence(reweight(all.logprobs, values, alpha), all.reference));
    }
    EXPECT_GE(bound, most - 1e-12) << run;
    EXPECT_NEAR(bound, most, 3e-3) << run;
  }
}

TEST(GumbelTest, KlIsFiniteAtTheEdges) {
  Dice dice(1);
  const Candidates all = random_candidates(dice, 4, true);
  const std::vector<double> none(4, kUnknown), some{0, kUnknown, 1, kUnknown};
  for (const double alpha : {5e-324, 1e-300, 1e-3, 1.0, 1e300, kInfinity}) {
    for (const auto& values : {none, some}) {
      const double kl = kl_at_most(all, values, {0, 1}, alpha);
      EXPECT_TRUE(std::isfinite(kl)) << alpha;
      EXPECT_GE(kl, -1e-12);
      EXPECT_LE(kl, -*std::min_element(all.reference.begin(), all.reference.end()) + 1e-9);
    }
  }
}

}  // namespace
}  // namespace tq
