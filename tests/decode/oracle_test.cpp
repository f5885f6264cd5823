// The production decoders, run on the tabular engine, against the exact answers of the worlds in
// fixtures/tabular: distributions to 1e-9 where values are exact or roll-outs greedy, within four
// standard errors where they are sampled.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "transferq/decode/best_of.hpp"
#include "transferq/decode/plain.hpp"
#include "transferq/decode/token_value.hpp"
#include "transferq/engine/tabular/world.hpp"
#include "transferq/eval/generator.hpp"
#include "transferq/reward/implicit.hpp"
#include "transferq/reward/table.hpp"
#include "transferq/rollout/continuation.hpp"
#include "transferq/rollout/enumeration.hpp"
#include "transferq/value/indirect.hpp"
#include "transferq/value/soft.hpp"

namespace tq {
namespace {

using tabular::format_prefix;
using tabular::Prefix;
using tabular::TabularWorld;

// One world with its policies as models and its reward, ready to decode at any state.
struct Bench {
  explicit Bench(const std::filesystem::path& path) : world(tabular::load_world(path)) {
    sft = world.model(world.sft, "sft");
    baseline = policy("aligned_to_target");
    reward = make_table_reward(world.prefix_reward, sft);
    other = policy("aligned_to_baseline_reward");
    baseline_reward = make_table_reward(world.baseline_reward, sft);
    implicit =
        make_implicit(Policy(other, Format::raw), Policy(sft, Format::raw), world.beta, true);
  }

  std::shared_ptr<const Model> policy(const std::string& name) const {
    return world.model(
        tabular::read_table(world.cases.at(name).at("policy"), world.vocabulary, name), name);
  }

  // Decodes from a state: a prefix as the prompt, and what is left of max_tokens.
  Generated decode(std::shared_ptr<const Decoder> decoder, const Prefix& state,
                   std::vector<Step>* steps = nullptr, std::uint64_t seed = 0,
                   std::shared_ptr<const Model> base = nullptr,
                   std::shared_ptr<const Reward> by_base = nullptr) const {
    const Setup setup{Policy(sft, Format::raw),
                      Policy(base == nullptr ? baseline : base, Format::raw),
                      reward,
                      std::move(decoder),
                      world.max_tokens - state.size(),
                      seed,
                      std::move(by_base)};
    SessionOptions options;
    options.cells = 1 << 14;
    return Worker(setup, options)
        .generate(make_prompt("w", format_prefix(state)), {}, [&](const Step& step) {
          if (steps != nullptr) steps->push_back(step);
        });
  }

  // The decoder's distribution and values at a state, by token.
  std::map<Token, CandidateView> first_step(std::shared_ptr<const Decoder> decoder,
                                            const Prefix& state,
                                            std::shared_ptr<const Model> base = nullptr,
                                            std::shared_ptr<const Reward> by_base = nullptr) const {
    std::vector<Step> steps;
    decode(std::move(decoder), state, &steps, 0, std::move(base), std::move(by_base));
    std::map<Token, CandidateView> out;
    for (const CandidateView& c : steps.at(0).candidates) out.emplace(c.token, c);
    return out;
  }

  TabularWorld world;
  std::shared_ptr<const Model> sft, baseline, other;  // `other` is aligned to the baseline's reward
  std::shared_ptr<const Reward> reward, baseline_reward, implicit;
};

std::vector<std::filesystem::path> worlds() {
  std::vector<std::filesystem::path> out;
  for (const auto& entry : std::filesystem::directory_iterator(TQ_FIXTURES "/tabular")) {
    if (entry.path().extension() == ".json") out.push_back(entry.path());
  }
  return out;
}

class Oracle : public testing::TestWithParam<std::filesystem::path> {
 protected:
  Oracle() : bench(GetParam()) {}

  std::shared_ptr<const Decoder> decoder(std::size_t top_k, Proposal proposal,
                                         std::unique_ptr<Expander> expander,
                                         Proposal rollouts = Proposal::baseline) const {
    return std::make_shared<TokenValueDecoder>(
        TokenValueOptions{bench.world.alpha, top_k, proposal, rollouts, Choose::sample},
        std::move(expander));
  }

  // Of everything the baseline proposes, weighted.
  std::shared_ptr<const Decoder> indirect(std::unique_ptr<Expander> expander, double beta) const {
    return std::make_shared<TokenValueDecoder>(TokenValueOptions{bench.world.alpha, all()},
                                               std::move(expander),
                                               std::make_unique<Indirect>(beta));
  }
  std::shared_ptr<const Decoder> soft(std::unique_ptr<Expander> expander) const {
    const double beta = bench.world.beta;
    return std::make_shared<TokenValueDecoder>(TokenValueOptions{beta, all()}, std::move(expander),
                                               std::make_unique<Soft>(beta));
  }

  // Compares the decoder with a case at every state, to 1e-9.
  void expect_exact(const std::string& name, const std::shared_ptr<const Decoder>& d,
                    std::shared_ptr<const Model> base = nullptr,
                    std::shared_ptr<const Reward> by_base = nullptr) const {
    const auto& expected = bench.world.cases.at(name);
    for (const auto& [text, policy] : expected.at("policy").items()) {
      const Prefix state = tabular::parse_prefix(text);
      const auto got = bench.first_step(d, state, base, by_base);
      for (std::size_t z = 0; z < bench.world.vocabulary; ++z) {
        const auto it = got.find(static_cast<Token>(z));
        EXPECT_NEAR(it == got.end() ? 0.0 : it->second.probability, policy.at(z), 1e-9)
            << name << " at '" << text << "' token " << z;
        Prefix next = state;
        next.push_back(static_cast<Token>(z));
        if (it == got.end() || !expected.contains("q")) continue;
        EXPECT_NEAR(it->second.value, expected.at("q").at(format_prefix(next)), 1e-9)
            << name << " value at '" << format_prefix(next) << "'";
      }
    }
  }

  std::size_t all() const { return bench.world.vocabulary; }
  Bench bench;
};

std::unique_ptr<Expander> exact() { return std::make_unique<Enumeration>(); }
std::unique_ptr<Expander> continued(ContinuationOptions o) {
  return std::make_unique<Continuation>(o);
}

TEST_P(Oracle, DirectTransferWithExactValues) {
  expect_exact("tq_direct", decoder(all(), Proposal::baseline, exact()));
}

TEST_P(Oracle, DirectTransferOverTheTopK) {
  expect_exact("tq_direct_top2", decoder(bench.world.top_k, Proposal::baseline, exact()));
}

TEST_P(Oracle, DirectTransferProposedByTheReference) {
  expect_exact("tq_direct_sft_proposal", decoder(all(), Proposal::reference, exact()));
}

TEST_P(Oracle, DirectTransferFromAMismatchedBaseline) {
  expect_exact("tq_direct_with_mismatched_baseline", decoder(all(), Proposal::baseline, exact()),
               bench.policy("aligned_to_baseline_reward"));
}

TEST_P(Oracle, IndirectTransferByTwoRewards) {
  expect_exact("tq_indirect", indirect(exact(), bench.world.beta), bench.other,
               bench.baseline_reward);
}

TEST_P(Oracle, IndirectTransferByTheImplicitReward) {
  expect_exact("tq_indirect", indirect(exact(), bench.world.beta), bench.other, bench.implicit);
}

// The weighted roll-outs of the mismatched baseline have the direct values of the matched one.
TEST_P(Oracle, IndirectValuesAreThoseOfTheBaselineAlignedToTheTarget) {
  const auto direct = decoder(all(), Proposal::baseline, exact());
  const auto weighted = indirect(exact(), bench.world.beta);
  const auto expected = bench.first_step(direct, {});
  for (const auto& [token, c] :
       bench.first_step(weighted, {}, bench.other, bench.baseline_reward)) {
    EXPECT_NEAR(c.value, expected.at(token).value, 1e-9);
  }
}

TEST_P(Oracle, IndirectIsDirectWhereTheBaselineWasAlignedToTheTarget) {
  const auto expected = bench.first_step(decoder(all(), Proposal::baseline, exact()), {});
  const auto weighted = indirect(exact(), 1e-3);
  for (const auto& [token, c] : bench.first_step(weighted, {}, nullptr, bench.reward)) {
    EXPECT_NEAR(c.value, expected.at(token).value, 1e-12);
    EXPECT_NEAR(c.probability, expected.at(token).probability, 1e-12);
  }
}

TEST_P(Oracle, SoftTransferFromTheReference) { expect_exact("tq_soft", soft(exact()), bench.sft); }

TEST_P(Oracle, SoftTransferFromABaselineByTwoRewardsOrTheImplicitOne) {
  expect_exact("tq_soft", soft(exact()), bench.other, bench.baseline_reward);
  expect_exact("tq_soft", soft(exact()), bench.other, bench.implicit);
}

// Of the roll-outs of a candidate: moments by which the error of an estimate from N of them is
// known, to first order in 1/sqrt(N).
struct Moments {
  double weight = 0, squared = 0;  // E[w], E[w^2]
  double centred = 0;              // E[w^2 (r - Q)^2]
};

Moments moments(const TabularWorld& world, const tabular::Table& policy, const Prefix& prefix,
                double value) {
  const auto end = world.reward.find(prefix);
  if (end != world.reward.end()) {
    const double w = std::exp((end->second - world.baseline_reward.at(prefix)) / world.beta);
    return {w, w * w, w * w * (end->second - value) * (end->second - value)};
  }
  Moments out;
  const std::vector<double>& p = policy.at(prefix);
  for (std::size_t z = 0; z < p.size(); ++z) {
    Prefix next = prefix;
    next.push_back(static_cast<Token>(z));
    const Moments m = moments(world, policy, next, value);
    out.weight += p[z] * m.weight;
    out.squared += p[z] * m.squared;
    out.centred += p[z] * m.centred;
  }
  return out;
}

TEST_P(Oracle, SampledWeightsWithinFourStandardErrors) {
  constexpr std::size_t kRollouts = 8000;
  const auto& world = bench.world;
  const auto table = tabular::read_table(world.cases.at("aligned_to_baseline_reward").at("policy"),
                                         world.vocabulary, "baseline");
  const auto sampled = [&] {
    return continued({.horizon = world.max_tokens, .samples = kRollouts});
  };
  const auto by = [&](const std::shared_ptr<const Decoder>& d) {
    return bench.first_step(d, {}, bench.other, bench.baseline_reward);
  };
  const auto q = by(indirect(exact(), world.beta)), v = by(soft(exact()));
  const auto q_sampled = by(indirect(sampled(), world.beta)), v_sampled = by(soft(sampled()));
  for (const auto& [token, c] : q) {
    const Moments m = moments(world, table, {token}, c.value);
    const double n = kRollouts, bias = 1e-3 / std::sqrt(n);
    const double q_error = std::sqrt(m.centred / n) / m.weight;
    const double v_error =
        world.beta * std::sqrt(std::max(m.squared - m.weight * m.weight, 0.0) / n) / m.weight;
    EXPECT_NEAR(q_sampled.at(token).value, c.value, 4 * q_error + bias) << token;
    EXPECT_NEAR(v_sampled.at(token).value, v.at(token).value, 4 * v_error + bias) << token;
  }
}

// The law of whole responses, from the decoder's own steps.
TEST_P(Oracle, SoftTransfersJointLawIsTheRegularisedOptimum) {
  const auto joint = [&](std::shared_ptr<const Model> base, std::shared_ptr<const Reward> by_base) {
    std::map<Prefix, double> law;
    std::map<Prefix, std::map<Token, CandidateView>> steps;
    for (const auto& [response, reward] : bench.world.reward) {
      double p = 1;
      for (std::size_t t = 0; t < response.size(); ++t) {
        const Prefix state(response.begin(), response.begin() + static_cast<long>(t));
        auto& step = steps[state];
        if (step.empty()) step = bench.first_step(soft(exact()), state, base, by_base);
        p *= step.at(response[t]).probability;
      }
      law[response] = p;
    }
    return law;
  };
  std::map<Prefix, double> optimum;
  double z = 0;
  for (const auto& [response, reward] : bench.world.reward) {
    double p = std::exp(reward / bench.world.beta);
    for (std::size_t t = 0; t < response.size(); ++t) {
      p *= bench.world.sft.at({response.begin(), response.begin() + static_cast<long>(t)})
               .at(static_cast<std::size_t>(response[t]));
    }
    optimum[response] = p;
    z += p;
  }
  const auto from_sft = joint(bench.sft, nullptr);
  const auto from_other = joint(bench.other, bench.baseline_reward);
  for (const auto& [response, p] : optimum) {
    EXPECT_NEAR(from_sft.at(response), p / z, 1e-12) << format_prefix(response);
    EXPECT_NEAR(from_other.at(response), p / z, 1e-12) << format_prefix(response);
  }
}

TEST_P(Oracle, GreedyRollouts) {
  expect_exact(
      "tq_direct_greedy_rollout_top2",
      decoder(bench.world.top_k, Proposal::baseline,
              continued({.horizon = bench.world.max_tokens, .samples = 1, .greedy = true})));
}

TEST_P(Oracle, ControlledDecoding) {
  expect_exact("cd", decoder(all(), Proposal::reference, exact(), Proposal::reference));
}

TEST_P(Oracle, Args) {
  expect_exact("args",
               decoder(all(), Proposal::reference, continued({.horizon = 0}), Proposal::reference));
}

TEST_P(Oracle, SampledRolloutsWithinFourStandardErrors) {
  constexpr std::size_t kRollouts = 4000;
  const auto sampled =
      decoder(all(), Proposal::baseline,
              continued({.horizon = bench.world.max_tokens, .samples = kRollouts}));
  const auto& expected = bench.world.cases.at("tq_direct").at("q");
  // Rewards lie in [0, 1], so no standard deviation exceeds one half.
  const double error = 0.5 / std::sqrt(double{kRollouts});
  for (const Prefix& state : {Prefix{}, Prefix{0}, Prefix{1}}) {
    for (const auto& [token, c] : bench.first_step(sampled, state)) {
      Prefix next = state;
      next.push_back(token);
      EXPECT_NEAR(c.value, expected.at(format_prefix(next)), 4 * error) << format_prefix(next);
    }
  }
}

// The mean reward of many runs of the production decoder, within four standard errors.
void expect_mean(const std::vector<double>& rewards, double expected, const std::string& what) {
  double sum = 0, squares = 0;
  for (const double r : rewards) {
    sum += r;
    squares += r * r;
  }
  const double n = static_cast<double>(rewards.size());
  const double mean = sum / n;
  const double error = std::sqrt(std::max(squares / n - mean * mean, 1e-12) / n);
  EXPECT_NEAR(mean, expected, 4 * error) << what;
}

TEST_P(Oracle, BestOfNExpectedReward) {
  for (const std::size_t n : {2, 4, 16}) {
    const auto best = std::make_shared<BestOfDecoder>(n, Proposal::reference);
    std::vector<double> rewards;
    for (std::uint64_t seed = 0; seed < 600; ++seed) {
      rewards.push_back(*bench.decode(best, {}, nullptr, seed).decoded.reward);
    }
    const std::string name = "best_of_" + std::to_string(n);
    expect_mean(rewards, bench.world.cases.at(name).at("expected_reward"), name);
  }
}

TEST_P(Oracle, SampledResponsesHaveTheExpectedRewardAndKl) {
  const auto direct = decoder(all(), Proposal::baseline, exact());
  const auto plain = std::make_shared<PlainDecoder>(Choose::sample, Proposal::reference);
  std::vector<double> rewards, kls, plain_rewards;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const Generated g = bench.decode(direct, {}, nullptr, seed);
    rewards.push_back(*g.decoded.reward);
    kls.push_back(g.decoded.kl_to_reference);
    const Generated p = bench.decode(plain, {}, nullptr, seed);
    plain_rewards.push_back(*p.decoded.reward);
    EXPECT_EQ(p.decoded.kl_to_reference, 0);
  }
  expect_mean(rewards, bench.world.cases.at("tq_direct").at("expected_reward"), "tq_direct");
  expect_mean(kls, bench.world.cases.at("tq_direct").at("kl_to_sft"), "tq_direct KL");
  expect_mean(plain_rewards, bench.world.cases.at("sft").at("expected_reward"), "sft");
}

INSTANTIATE_TEST_SUITE_P(Worlds, Oracle, testing::ValuesIn(worlds()),
                         [](const auto& world) { return world.param.stem().string(); });

}  // namespace
}  // namespace tq
