// The laws of blocks and commits over whole responses, by enumeration of every draw, and the KL
// that is reported of them.
#include <gtest/gtest.h>

#include "tests/decode/tabular_law.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::Law;
using testing::Tokens;
using testing::World;
using testing::operator+;

// Every way to go on from a prefix by `length` draws of a policy, with its probability.
Law continuations(const World& world, const tabular::TabularModel& model, const Tokens& prefix,
                  std::size_t length) {
  if (length == 0 || world.over(prefix)) return {{{}, 1.0}};
  Law out;
  for (std::size_t z = 0; z < world.size; ++z) {
    const auto token = static_cast<Token>(z);
    for (const auto& [more, p] : continuations(world, model, prefix + Tokens{token}, length - 1)) {
      out[Tokens{token} + more] += p * std::exp(World::logprob(model, prefix, token));
    }
  }
  return out;
}

// A law of one step, from a prefix to what it commits; and so of the whole response.
using StepLawOf = std::function<Law(const Tokens&)>;
Law compose(const World& world, const StepLawOf& step, const Tokens& prefix = {}) {
  if (world.over(prefix)) return {{prefix, 1.0}};
  Law out;
  for (const auto& [more, p] : step(prefix)) {
    if (p == 0) continue;
    for (const auto& [y, q] : compose(world, step, prefix + more)) out[y] += p * q;
  }
  return out;
}

// The candidate's law where all its roll-outs are known.
std::vector<double> tilted(std::vector<double> logprobs, const std::vector<double>& values,
                           double alpha) {
  for (std::size_t i = 0; i < values.size(); ++i) logprobs[i] += values[i] / alpha;
  return softmax(logprobs);
}

void expect_law(const World& world, const DecoderOptions& options, bool with_baseline,
                const Law& law, KlKind kind) {
  constexpr std::size_t kRuns = 6000;
  const std::shared_ptr<const Decoder> decoder = make_decoder(options, world.size);
  std::map<Tokens, std::size_t> counts;
  std::vector<double> kls;
  for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
    const Answer out = world.decode(decoder, with_baseline, seed);
    ++counts[out.decoded.tokens];
    kls.push_back(out.decoded.kl_to_reference);
    EXPECT_EQ(out.decoded.kl_kind, kind);
  }
  testing::expect_frequencies(counts, kRuns, law);
  // Its mean is no less than the KL of the law.
  const double exact = testing::kl(law, world.law(*world.reference_model));
  const auto [mean, error] = testing::mean_of(kls);
  EXPECT_GT(mean, exact - 4 * error);
  EXPECT_LT(mean, exact + 2.5) << "it says nothing";
}

// K blocks of two tokens, each worth its own reward.
Law block_step(const World& world, const tabular::TabularModel& model, const Tokens& prefix,
               std::size_t count, double alpha, bool greedy, std::uint64_t seed) {
  const Law blocks = continuations(world, model, prefix, 2);
  Law out;
  std::vector<Tokens> drawn;
  const std::function<void(double)> draw = [&](double p) {
    if (drawn.size() < count) {
      for (const auto& [block, q] : blocks) {
        drawn.push_back(block);
        draw(p * q);
        drawn.pop_back();
      }
      return;
    }
    std::vector<double> values;
    for (const Tokens& block : drawn) values.push_back(World::value_of(prefix + block, seed));
    if (greedy) {
      out[drawn[argmax(values)]] += p;
      return;
    }
    const auto law = tilted(std::vector<double>(count, 0.0), values, alpha);
    for (std::size_t i = 0; i < count; ++i) out[drawn[i]] += p * law[i];
  };
  draw(1);
  return out;
}

TEST(BlocksLaw, IsTheWeighingOfKDrawsFromTheProposal) {
  for (const bool greedy : {false, true}) {
    for (const bool with_baseline : {false, true}) {
      constexpr std::uint64_t kSeed = 5;
      const World world(3, 3, kSeed, Token{2});  // the second block has room for one token
      const auto& proposal = with_baseline ? *world.baseline_model : *world.reference_model;
      DecoderOptions options{.name = "tq", .alpha = 0.3, .top_k = 3, .horizon = 0};
      options.block = 2;
      options.choose = greedy ? Choose::greedy : Choose::sample;
      const Law law = compose(world, [&](const Tokens& prefix) {
        return block_step(world, proposal, prefix, 3, 0.3, greedy, kSeed);
      });
      expect_law(world, options, with_baseline, law,
                 with_baseline ? KlKind::estimate : KlKind::bound);
      if (with_baseline) continue;
      options.name = "args";
      expect_law(world, options, false, law, KlKind::bound);
      options.name = "cd";
      expect_law(world, options, false, law, KlKind::bound);
    }
  }
}

TEST(BlocksLaw, TendsToTheTiltedProposalAsDrawsGrow) {
  constexpr std::uint64_t kSeed = 3;
  const World world(3, 3, kSeed);
  DecoderOptions options{.name = "cd", .alpha = 0.2, .horizon = 0};
  options.block = 2;
  constexpr std::size_t kDraws = 20000;
  options.top_k = kDraws;
  const auto decoder = make_decoder(options, kDraws);
  const auto setup = world.setup(std::shared_ptr<const Decoder>(make_decoder(options, kDraws)),
                                 false, 1, world.max_tokens);
  const Answer out = testing::run(setup, make_prompt("w", "0"), testing::session_of(1 << 12, 64));
  Law got, exact;
  for (const CandidateView& c : out.steps.at(0).candidates) {
    got[c.block] += c.probability;
    EXPECT_NEAR(c.logprob, World::logprob(*world.reference_model, c.block), 1e-9);
    EXPECT_EQ(c.text.size(), 2u);
  }
  double sum = 0;
  for (const auto& [block, p] : continuations(world, *world.reference_model, {}, 2)) {
    sum += exact[block] = p * std::exp(World::value_of(block, kSeed) / 0.2);
  }
  for (const auto& [block, p] : exact) EXPECT_NEAR(got[block], p / sum, 0.012);
}

// Each candidate has N roll-outs of one token; the winner's best one is committed with it.
Law commit_step(const World& world, const tabular::TabularModel& roller, const Tokens& prefix,
                std::size_t samples, double alpha, std::uint64_t seed) {
  std::vector<double> proposal;
  for (std::size_t z = 0; z < world.size; ++z) {
    proposal.push_back(World::logprob(roller, prefix, static_cast<Token>(z)));
  }
  Law out;
  std::vector<std::vector<Tokens>> rolled(world.size);
  const std::function<void(std::size_t, double)> draw = [&](std::size_t z, double p) {
    if (z < world.size) {
      const Tokens grown = prefix + Tokens{static_cast<Token>(z)};
      const std::size_t wanted = world.over(grown) ? 1 : samples;
      if (rolled[z].size() == wanted) return draw(z + 1, p);
      for (const auto& [more, q] : continuations(world, roller, grown, 1)) {
        rolled[z].push_back(Tokens{static_cast<Token>(z)} + more);
        draw(z, p * q);
        rolled[z].pop_back();
      }
      return;
    }
    std::vector<double> values;
    std::vector<Tokens> best;
    for (const auto& of_one : rolled) {
      std::vector<double> rewards;
      double mean = 0;
      for (const Tokens& y : of_one) {
        rewards.push_back(World::value_of(prefix + y, seed));
        mean += rewards.back() / static_cast<double>(of_one.size());
      }
      values.push_back(mean);
      best.push_back(of_one[argmax(rewards)]);
    }
    const auto law = tilted(proposal, values, alpha);
    for (std::size_t i = 0; i < law.size(); ++i) out[best[i]] += p * law[i];
  };
  draw(0, 1);
  return out;
}

TEST(CommitLaw, IsThatOfTheCandidatesLawAndItsBestRollOut) {
  for (const std::size_t samples : {1u, 2u}) {
    for (const bool with_baseline : {false, true}) {
      constexpr std::uint64_t kSeed = 4;
      const World world(3, 3, kSeed, Token{2});
      const auto& roller = with_baseline ? *world.baseline_model : *world.reference_model;
      DecoderOptions options{
          .name = "tq", .alpha = 0.3, .top_k = 3, .horizon = 1, .rollouts = samples};
      options.commit = 2;
      const Law law = compose(world, [&](const Tokens& prefix) {
        return commit_step(world, roller, prefix, samples, 0.3, kSeed);
      });
      expect_law(world, options, with_baseline, law,
                 with_baseline ? KlKind::estimate : KlKind::bound);
    }
  }
}

TEST(CommitLaw, GreedyAllTheWayIsCertainAndItsKlIsExact) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    for (const bool with_baseline : {false, true}) {
      const World world(4, 5, seed, Token{3});
      DecoderOptions options{.name = "tq", .alpha = 0.1, .top_k = 3, .horizon = 3};
      options.greedy_rollouts = true;
      options.choose = Choose::greedy;
      options.commit = 3;
      const Answer out = world.decode(make_decoder(options, 4), with_baseline, seed);
      EXPECT_EQ(out.decoded.kl_kind, KlKind::exact);
      EXPECT_NEAR(out.decoded.kl_to_reference,
                  -World::logprob(*world.reference_model, out.decoded.tokens), 1e-9);
    }
  }
}

}  // namespace
}  // namespace tq
