// What each decoder reports as its KL to the reference, against the KL of its law over whole
// responses by enumeration; and the budget, which the KL never exceeds where the reference
// proposes.
#include <gtest/gtest.h>

#include <limits>

#include "tests/decode/tabular_law.hpp"
#include "transferq/decode/gate.hpp"
#include "transferq/decode/tail.hpp"
#include "transferq/rollout/continuation.hpp"
#include "transferq/rollout/enumeration.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::Law;
using testing::Tokens;
using testing::World;
using testing::operator+;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Decoding by exact values, written down once more from the formulas.
struct Theory {
  const World& world;
  std::uint64_t seed;
  TokenValueOptions options;
  bool rolls = true;  // else the value is the prefix's own reward

  const tabular::TabularModel& model(Proposal which) const {
    return which == Proposal::baseline ? *world.baseline_model : *world.reference_model;
  }
  double value(const Tokens& prefix) const {
    if (world.over(prefix) || !rolls) return World::value_of(prefix, seed);
    double sum = 0;
    for (std::size_t z = 0; z < world.size; ++z) {
      const auto token = static_cast<Token>(z);
      sum += std::exp(World::logprob(model(options.rollouts), prefix, token)) *
             value(prefix + Tokens{token});
    }
    return sum;
  }
  // The law of the token behind a prefix; `whole` leaves none out.
  std::vector<double> law(const Tokens& prefix, double alpha, bool whole) const {
    const auto& proposed = model(options.proposal).log_probabilities(Tokens{0} + prefix);
    const auto best = pass_gate(proposed, candidates(proposed, options.top_k), options.min_p);
    std::vector<double> scores(world.size, -kInfinity);
    double mean = 0, mass = 0;
    for (const std::size_t z : best) {
      const double q = value(prefix + Tokens{static_cast<Token>(z)});
      scores[z] = proposed[z] + q / alpha;
      mean += std::exp(proposed[z]) * q;
      mass += std::exp(proposed[z]);
    }
    for (std::size_t z = 0; z < world.size; ++z) {
      if (whole && std::isinf(scores[z])) scores[z] = proposed[z] + mean / mass / alpha;
    }
    return softmax(scores);
  }
  double step_kl(const Tokens& prefix, double alpha, bool whole) const {
    return kl_divergence(law(prefix, alpha, whole),
                         world.reference_model->log_probabilities(Tokens{0} + prefix));
  }
  std::shared_ptr<const Decoder> decoder() const {
    std::unique_ptr<Expander> expander = std::make_unique<Enumeration>();
    if (!rolls) expander = std::make_unique<Continuation>(ContinuationOptions{.horizon = 0});
    return std::make_shared<TokenValueDecoder>(options, std::move(expander));
  }
};

std::vector<Theory> decoders(const World& world, std::uint64_t seed) {
  std::vector<Theory> out;
  for (const std::size_t top_k : {2u, 4u}) {
    for (const double min_p : {0.0, 0.5}) {
      for (const Proposal proposal : {Proposal::baseline, Proposal::reference}) {
        TokenValueOptions o{.alpha = 0.2, .top_k = top_k, .proposal = proposal};
        o.min_p = min_p;
        o.rollouts = Proposal::baseline;
        out.push_back({world, seed, o});  // tq
        o.rollouts = proposal;
        out.push_back({world, seed, o, false});  // args
      }
      TokenValueOptions cd{.alpha = 0.2, .top_k = top_k, .proposal = Proposal::reference};
      cd.rollouts = Proposal::reference;
      cd.min_p = min_p;
      out.push_back({world, seed, cd});
    }
  }
  return out;
}

TEST(KlLaw, OfValueDecodersIsTheSumOverEachStepsCandidates) {
  for (const std::uint64_t seed : {1u, 2u}) {
    const World world(4, 3, seed, Token{3});
    const Law reference = world.law(*world.reference_model);
    for (const Theory& theory : decoders(world, seed)) {
      // The chain rule: the mean of the sums along each path is the KL of the whole.
      Law law;
      double mean = 0;
      std::map<Tokens, double> sums;
      world.walk({}, [&](const Tokens& y) {
        double p = 1, sum = 0;
        for (std::size_t i = 0; i < y.size() && p > 0; ++i) {
          const Tokens prefix(y.begin(), y.begin() + static_cast<std::ptrdiff_t>(i));
          sum += theory.step_kl(prefix, 0.2, false);
          p *= theory.law(prefix, 0.2, false)[static_cast<std::size_t>(y[i])];
        }
        law[y] = p;
        sums[y] = sum;
        mean += p * sum;
      });
      EXPECT_NEAR(mean, testing::kl(law, reference), 1e-9);
      for (std::uint64_t run = 0; run < 15; ++run) {
        const Answer out = world.decode(theory.decoder(), true, run);
        EXPECT_NEAR(out.decoded.kl_to_reference, sums.at(out.decoded.tokens), 1e-9);
        EXPECT_EQ(out.decoded.kl_kind, KlKind::exact);
        EXPECT_GT(law.at(out.decoded.tokens), 0);
      }
    }
  }
}

TEST(KlLaw, OfPlainDecodersIsExact) {
  const World world(4, 4, 7, Token{3});
  for (std::uint64_t run = 0; run < 20; ++run) {
    const Answer drawn = world.decode(make_decoder({.name = "sample", .top_k = 4}, 4), true, run);
    double sum = 0;
    for (std::size_t i = 0; i < drawn.decoded.tokens.size(); ++i) {
      const Tokens state =
          Tokens{0} + Tokens(drawn.decoded.tokens.begin(),
                             drawn.decoded.tokens.begin() + static_cast<std::ptrdiff_t>(i));
      sum += kl_divergence(softmax(world.baseline_model->log_probabilities(state)),
                           world.reference_model->log_probabilities(state));
    }
    EXPECT_NEAR(drawn.decoded.kl_to_reference, sum, 1e-9);
    EXPECT_EQ(drawn.decoded.kl_kind, KlKind::exact);
  }
  const Answer greedy = world.decode(make_decoder({.name = "greedy", .top_k = 4}, 4), true, 0);
  EXPECT_NEAR(greedy.decoded.kl_to_reference,
              -World::logprob(*world.reference_model, greedy.decoded.tokens), 1e-9);
}

TEST(KlLaw, OfBestOfNIsABoundThatHolds) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const World world(3, 3, seed, Token{2});
    const Law reference = world.law(*world.reference_model);
    for (const std::size_t n : {1u, 2u, 5u, 30u}) {
      Law law;
      for (const auto& [y, p] : reference) {
        double below = 0;
        for (const auto& [other, q] : reference) {
          if (World::value_of(other, seed) < World::value_of(y, seed)) below += q;
        }
        law[y] = std::pow(below + p, n) - std::pow(below, n);
      }
      const Answer out =
          world.decode(make_decoder({.name = "best-of", .top_k = 3, .samples = n}, 3), false, 1);
      EXPECT_EQ(out.decoded.kl_kind, KlKind::bound);
      EXPECT_GE(out.decoded.kl_to_reference, testing::kl(law, reference) - 1e-12);
    }
  }
}

TEST(KlBudgetLaw, IsNeverExceededWhereTheReferenceProposes) {
  std::size_t spent = 0, runs = 0, tails = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const World world(2 + seed % 4, 1 + seed % 5, seed,
                      seed % 2 == 0 ? std::optional<Token>(1) : std::nullopt);
    for (const double nats : {0.0, 1e-6, 0.05, 0.3, 1.0, 1e6}) {
      TokenValueOptions o{.top_k = 1 + seed % world.size, .proposal = Proposal::reference};
      o.kl_budget = nats;
      o.min_p = seed % 3 == 0 ? 0.6 : 0;
      o.rollouts = seed % 2 == 0 ? Proposal::reference : Proposal::baseline;
      const Theory theory{world, seed, o};
      for (std::uint64_t run = 0; run < 4; ++run) {
        const Answer out = world.decode(theory.decoder(), true, run);
        EXPECT_EQ(out.decoded.kl_kind, KlKind::exact);
        EXPECT_LE(out.decoded.kl_to_reference, nats + 1e-12);
        EXPECT_GE(out.decoded.kl_to_reference, -1e-12);
        // And it is the KL of laws over all tokens.
        double sum = 0;
        Tokens prefix;
        for (const Step& step : out.steps) {
          const double alpha = step.alpha.value();
          const auto law = theory.law(prefix, alpha, true);
          for (const CandidateView& c : step.candidates) {
            EXPECT_NEAR(c.probability, law[static_cast<std::size_t>(c.token)], 1e-9);
          }
          tails += std::isnan(step.candidates.at(step.chosen).value) && step.chosen > 0;
          sum += theory.step_kl(prefix, alpha, true);
          prefix.push_back(step.token);
        }
        EXPECT_NEAR(out.decoded.kl_to_reference, sum, 1e-9);
        ++runs;
        spent += nats < 1 && out.decoded.kl_to_reference > 0.9 * nats && nats > 0;
      }
    }
  }
  EXPECT_GT(spent, runs / 8);  // it is used where it binds
  EXPECT_GT(tails, 0u);
}

TEST(KlBudgetLaw, MoreNatsGiveMoreReward) {
  constexpr std::uint64_t kSeed = 11;
  const World world(4, 5, kSeed);
  double before = 0;
  for (const double nats : {0.0, 0.5, 2.0, 1e6}) {
    TokenValueOptions o{.top_k = 4, .proposal = Proposal::reference};
    o.rollouts = Proposal::reference;
    o.kl_budget = nats;
    std::vector<double> rewards;
    for (std::uint64_t run = 0; run < 300; ++run) {
      rewards.push_back(
          *world.decode(Theory{world, kSeed, o}.decoder(), false, run).decoded.reward);
    }
    const auto [mean, error] = testing::mean_of(rewards);
    EXPECT_GT(mean, before + 2 * error) << nats;
    before = mean;
  }
}

TEST(KlBudgetLaw, ABudgetOfNothingIsTheReferenceWithoutARollOut) {
  const World world(4, 3, 2, Token{3});
  TokenValueOptions o{.top_k = 2, .proposal = Proposal::reference};
  o.rollouts = Proposal::reference;
  o.kl_budget = 0;
  const auto decoder = std::make_shared<TokenValueDecoder>(o, std::make_unique<Enumeration>());
  std::map<Tokens, std::size_t> counts;
  for (std::uint64_t run = 0; run < 8000; ++run) {
    const Answer out = world.decode(decoder, false, run);
    ++counts[out.decoded.tokens];
    EXPECT_NEAR(out.decoded.kl_to_reference, 0, 1e-12);
    EXPECT_LE(out.evaluations.policy, out.decoded.tokens.size());
  }
  testing::expect_frequencies(counts, 8000, world.law(*world.reference_model));
}

TEST(KlBudgetLaw, OfAnotherProposalItAddsNoTiltBeyondTheShareAndSaysWhatItIs) {
  std::size_t over = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const World world(4, 4, seed);
    for (const double nats : {0.1, 1.0}) {
      TokenValueOptions o{.top_k = 3, .proposal = Proposal::baseline};
      o.rollouts = Proposal::baseline;
      o.kl_budget = nats;
      const Theory theory{world, seed, o};
      const Answer out = world.decode(theory.decoder(), true, seed);
      double sum = 0, left = nats;
      Tokens prefix;
      for (const Step& step : out.steps) {
        const double kl = theory.step_kl(prefix, step.alpha.value(), true);
        const double share =
            std::max(0.0, left) / static_cast<double>(world.max_tokens - prefix.size());
        if (!std::isinf(*step.alpha)) {
          EXPECT_LE(kl, share + 1e-12);
        }
        left -= kl;
        sum += kl;
        prefix.push_back(step.token);
      }
      EXPECT_NEAR(out.decoded.kl_to_reference, sum, 1e-9);
      over += sum > nats;
    }
  }
  EXPECT_GT(over, 0u);  // the baseline's own distance is more
}

TEST(KlBudgetLaw, HoldsForBlocksAndCommitsOfDrawnRollOuts) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const World world(4, 6, seed, Token{3});
    for (const double nats : {0.0, 0.2, 2.0}) {
      for (const auto& [block, commit] :
           std::vector<std::pair<std::size_t, std::size_t>>{{1, 3}, {2, 1}, {2, 2}, {9, 1}}) {
        DecoderOptions o{.name = "cd", .top_k = 3, .horizon = 2};
        o.block = block;
        o.commit = commit;
        o.kl_budget = nats;
        const Answer out = world.decode(make_decoder(o, 4), false, seed);
        EXPECT_LE(out.decoded.kl_to_reference, nats + 1e-12);
        EXPECT_EQ(out.decoded.kl_kind, KlKind::bound);
        EXPECT_TRUE(std::isfinite(out.decoded.kl_to_reference));
      }
    }
  }
}

}  // namespace
}  // namespace tq
