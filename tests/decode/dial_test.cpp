// The parts of the dial: the gate, the tail, and the alpha for a budget. Laws are random, from
// fixed seeds.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "transferq/core/logspace.hpp"
#include "transferq/core/random.hpp"
#include "transferq/decode/choice.hpp"
#include "transferq/decode/gate.hpp"
#include "transferq/decode/kl_budget.hpp"
#include "transferq/decode/proposing.hpp"
#include "transferq/decode/tail.hpp"

namespace tq {
namespace {

using Numbers = std::vector<double>;
using Indices = std::vector<std::size_t>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Random numbers in [0, 1) by their place.
struct Draws {
  std::uint64_t seed;
  std::uint32_t at = 0;
  double next() { return uniform({.seed = seed, .position = at++}); }
  Numbers law(std::size_t n, double sharpness) {
    Numbers logits(n);
    for (double& x : logits) x = sharpness * next();
    return log_softmax(logits);
  }
};

TEST(Gate, LetsTokensWithAShareOfTheLikeliestsProbabilityPass) {
  const Numbers p{std::log(0.1), std::log(0.5), std::log(0.3), std::log(0.06), std::log(0.04)};
  const Indices order = candidates(p, 5);
  EXPECT_EQ(pass_gate(p, order, 0), order);
  EXPECT_EQ(pass_gate(p, order, 0.1), (Indices{1, 2, 0, 3}));
  EXPECT_EQ(pass_gate(p, order, 0.21), (Indices{1, 2}));
  EXPECT_EQ(pass_gate(p, order, 0.61), (Indices{1}));
  EXPECT_EQ(pass_gate(p, order, 1), (Indices{1}));
  EXPECT_EQ(pass_gate(p, {1, 2}, 0.1), (Indices{1, 2}));
  const Numbers equal{std::log(0.5), std::log(0.5)};
  EXPECT_EQ(pass_gate(equal, {0, 1}, 1), (Indices{0, 1}));
  EXPECT_TRUE(pass_gate(p, {}, 0.5).empty());
}

TEST(Tail, WithItTheKlIsThatOfTheWholeVocabulary) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Draws draws{seed};
    const std::size_t n = 2 + seed % 7;
    const Numbers proposed = draws.law(n, 6), reference = draws.law(n, 6);
    const Indices best = candidates(proposed, 1 + seed % n);
    const Tail tail = tail_of(proposed, reference, best);
    if (best.size() == n) {
      EXPECT_EQ(tail.logprob, -kInfinity);
      continue;
    }
    // Any law that keeps the tail's proportions: candidates and tail tilted at random.
    Numbers logits, ref;
    for (const std::size_t z : best) {
      logits.push_back(proposed[z] + 4 * draws.next());
      ref.push_back(reference[z]);
    }
    logits.push_back(tail.logprob + 4 * draws.next());
    ref.push_back(tail.reference);
    const Numbers law = softmax(logits);
    Numbers whole(n);
    for (std::size_t z = 0; z < n; ++z) {
      whole[z] = law.back() * std::exp(proposed[z] - tail.logprob);
    }
    for (std::size_t i = 0; i < best.size(); ++i) whole[best[i]] = law[i];
    EXPECT_NEAR(kl_divergence(law, ref), kl_divergence(whole, reference), 1e-12) << seed;
  }
}

TEST(Tail, DrawsItsTokensInTheProposalsProportions) {
  const Numbers p{std::log(0.4), std::log(0.1), std::log(0.3), std::log(0.2)};
  const Indices best{0, 2};
  EXPECT_EQ(draw_tail(p, best, 0), 1u);
  EXPECT_EQ(draw_tail(p, best, 0.33), 1u);
  EXPECT_EQ(draw_tail(p, best, 0.34), 3u);
  EXPECT_EQ(draw_tail(p, best, 1 - 0x1p-53), 3u);
}

TEST(AlphaWithin, SpendsTheBudgetAndNoMoreOnTheReferencesOwnLaw) {
  std::size_t spent = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Draws draws{seed};
    const std::size_t n = 2 + seed % 9;
    const Numbers law = draws.law(n, 8);
    Numbers values(n);
    const double scale = std::pow(10, 12 * draws.next() - 6);
    for (double& v : values) v = scale * draws.next();
    const double nats = std::pow(10, 4 * draws.next() - 3);
    const double alpha = alpha_within(law, values, law, nats);
    ASSERT_GT(alpha, 0.0);
    const double kl = kl_divergence(reweight(law, values, alpha), law);
    EXPECT_LE(kl, nats);
    // Either the budget is spent, or nobody could spend more.
    const double most = kl_divergence(reweight(law, values, 1e-300), law);
    EXPECT_NEAR(kl, std::min(nats, most), 1e-6 + 1e-6 * nats) << seed;
    spent += most > nats;
  }
  EXPECT_GT(spent, 500u);
}

TEST(AlphaWithin, KlGrowsWithOneOverAlphaWhereTheProposalIsTheReference) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Draws draws{seed};
    const Numbers law = draws.law(6, 8);
    Numbers values(6);
    for (double& v : values) v = 10 * draws.next();
    double before = 0;
    for (double alpha = 1e4; alpha > 1e-4; alpha /= 1.3) {
      const double kl = kl_divergence(reweight(law, values, alpha), law);
      EXPECT_GE(kl, before - 1e-12) << seed << " " << alpha;
      before = kl;
    }
  }
}

TEST(AlphaWithin, OfAnotherProposalItStaysWithinTheBudgetOrKeepsTheProposal) {
  std::size_t kept = 0, tilted = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Draws draws{seed};
    const Numbers law = draws.law(5, 5), reference = draws.law(5, 5);
    Numbers values(5);
    for (double& v : values) v = draws.next();
    const double nats = 2 * draws.next();
    const double alpha = alpha_within(law, values, reference, nats);
    const double own = kl_divergence(softmax(law), reference);
    if (own > nats + 1e-5) {
      EXPECT_EQ(alpha, kInfinity);
      ++kept;
    } else if (!std::isinf(alpha)) {
      EXPECT_LE(kl_divergence(reweight(law, values, alpha), reference), nats);
      ++tilted;
    }
  }
  EXPECT_GT(kept, 200u);
  EXPECT_GT(tilted, 200u);
}

TEST(AlphaWithin, ExtremesGiveNoNumberThatIsNone) {
  const Numbers law{std::log(0.7), std::log(0.3) - 1e-12, std::log(1e-12)};
  for (const double big : {0.0, 1e-320, 1e-300, 1e-6, 1.0, 1e4, 1e300, 1.7e308}) {
    for (const double nats : {0.0, 1e-300, 1e-9, 0.1, 100.0}) {
      const Numbers values{-big, big, 0};
      const double alpha = alpha_within(law, values, law, nats);
      EXPECT_GT(alpha, 0.0) << big << " " << nats;
      double sum = 0;
      for (const double p : reweight(law, values, alpha)) sum += p;
      EXPECT_NEAR(sum, 1, 1e-12) << big << " " << nats;
      EXPECT_LE(kl_divergence(reweight(law, values, alpha), law), nats + 1e-11);
    }
  }
  EXPECT_EQ(alpha_within(law, Numbers{2, 2, 2}, law, 5), kInfinity);
  EXPECT_EQ(alpha_within(Numbers{0}, Numbers{-1e4}, Numbers{0}, 5), kInfinity);
  // The reference never takes a token: its KL is infinite, and the proposal is left as it is.
  EXPECT_EQ(alpha_within(law, Numbers{1, 2, 3}, Numbers{-0.1, -2, -kInfinity}, 5), kInfinity);
}

TEST(KlBudget, AStepMaySpendItsShareAndWhatWasNotSpent) {
  KlBudget budget(12);
  EXPECT_DOUBLE_EQ(budget.share(1, 6), 2);
  EXPECT_DOUBLE_EQ(budget.share(4, 6), 8);
  EXPECT_DOUBLE_EQ(budget.share(9, 6), 12);
  budget.spend(0);
  EXPECT_DOUBLE_EQ(budget.share(1, 5), 2.4);
  budget.spend(4);
  EXPECT_DOUBLE_EQ(budget.share(1, 4), 2);
  budget.spend(9);
  EXPECT_EQ(budget.share(1, 3), 0);
}

TEST(StepKl, OfBlocksIsTheBoundOfBestOfNOrTheDistanceFromAnEqualChance) {
  Candidates set{{3, 3, 1}, Numbers(3, -std::log(3)), Numbers(3, -std::log(3))};
  const StepLaw law = tilt(set, {1, 2, 0}, 0.5, std::nullopt);
  EXPECT_NEAR(step_kl(set, law, 1, Choose::greedy, true), std::log(3) - 2.0 / 3, 1e-12);
  double kl = 0;
  for (const double p : law.probabilities) kl += p * std::log(3 * p);
  EXPECT_NEAR(step_kl(set, law, 1, Choose::sample, true), kl, 1e-12);
}

}  // namespace
}  // namespace tq
