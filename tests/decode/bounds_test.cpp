// Candidates that can't win by the reward's bounds are never rolled out, and nothing else changes.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/decode/decoding.hpp"
#include "transferq/decode/gate.hpp"

namespace tq {
namespace {

using testing::Answer;

TEST(BoundsTest, TheGateIsWhereNothingCanWin) {
  EXPECT_NEAR(gate_of_bounds(0, 1, 0.5), std::exp(-2), 1e-8);
  EXPECT_NEAR(gate_of_bounds(-3, 1, 2), std::exp(-2), 1e-8);
  EXPECT_LT(gate_of_bounds(0, 1, 0.5), std::exp(-2));  // rounding must not shut it too far
  EXPECT_LT(gate_of_bounds(2, 2, 1), 1);               // candidates as likely as the first are tied
  EXPECT_GT(gate_of_bounds(2, 2, 1), 1 - 1e-8);
  constexpr double kNone = std::numeric_limits<double>::infinity();
  EXPECT_EQ(gate_of_bounds(-kNone, 0, 1), 0);
  EXPECT_EQ(gate_of_bounds(0, kNone, 1), 0);
  EXPECT_EQ(gate_of_bounds(0, 1, kNone), 0);
  EXPECT_EQ(gate_of_bounds(0, 1e300, 1e-300), 0);
}

class BoundsDecodingTest : public ::testing::TestWithParam<int> {
 protected:
  // A reward in [-1, 2] that reaches for both ends.
  static double noise(const Draft& d) {
    const double u = uniform({.prompt = hash32(d.text.data(), d.text.size())});
    return u < 0.3 ? -1 : u > 0.7 ? 2 : 3 * u - 1;
  }
  Answer decode(DecoderOptions o, bool bounds, std::size_t tokens = 6) const {
    if (bounds) o.range = {-1, 2};
    return testing::run(testing::setup_of(table_, o, testing::reward_of(noise), tokens, aligned_),
                        make_prompt("a", "1."), testing::session_of(4000, 300));
  }

  // Skewed, so that there is something to spare.
  const std::uint64_t seed_ = static_cast<std::uint64_t>(GetParam());
  const Policy table_{testing::random_table(7, 3, seed_), Format::raw};
  const Policy aligned_{testing::random_table(7, 3, seed_ + 100), Format::raw};
};

TEST_P(BoundsDecodingTest, TheTokensAreTheSameToTheBit) {
  std::uint64_t spared = 0;
  for (const Transfer transfer : {Transfer::direct, Transfer::indirect, Transfer::soft}) {
    for (const std::size_t rollouts : {1u, 4u}) {
      for (const double alpha : {0.5, 1.0, 3.0}) {
        DecoderOptions o{.name = "tq", .alpha = alpha, .top_k = 7, .horizon = 4};
        o.choose = Choose::greedy;
        o.transfer = transfer;
        o.rollouts = rollouts;
        const Answer all = decode(o, false), bounded = decode(o, true);
        EXPECT_EQ(bounded.decoded.tokens, all.decoded.tokens);
        EXPECT_EQ(bounded.decoded.reward, all.decoded.reward);
        EXPECT_DOUBLE_EQ(bounded.decoded.kl_to_reference, all.decoded.kl_to_reference);
        EXPECT_LE(bounded.evaluations.policy, all.evaluations.policy);
        spared += all.evaluations.policy - bounded.evaluations.policy;
      }
    }
  }
  EXPECT_GT(spared, 0u);
}

// The text so far may weigh more than a roll-out does: the gate is for the heavier.
TEST_P(BoundsDecodingTest, SoTheyAreWhereOtherStepsWeighMore) {
  for (const double weight : {0.5, 4.0}) {
    DecoderOptions o{.name = "tq", .alpha = 3, .top_k = 7, .horizon = 4};
    o.choose = Choose::greedy;
    o.last = 3;
    o.text_weight = weight;
    EXPECT_EQ(decode(o, true).decoded.tokens, decode(o, false).decoded.tokens) << weight;
  }
}

TEST_P(BoundsDecodingTest, WhereTheyCouldChangeTheChoiceTheyAreNotUsed) {
  DecoderOptions o{.name = "tq", .alpha = 3, .top_k = 7, .horizon = 4};
  const auto untouched = [&](const DecoderOptions& options) {
    const Answer all = decode(options, false), bounded = decode(options, true);
    EXPECT_EQ(bounded.decoded.tokens, all.decoded.tokens);
    EXPECT_EQ(bounded.evaluations.policy, all.evaluations.policy);
  };
  untouched(o);  // drawn: the law and its KL are of all candidates
  o.choose = Choose::greedy;
  o.commit = 2;
  untouched(o);
  o.commit = 1;
  o.halvings = 1;
  untouched(o);
}

// The noise is known before the values: what is drawn is the same, and the KL can be no more than
// is said.
TEST_P(BoundsDecodingTest, DrawsByGumbelMaxAreTheSameToTheBit) {
  std::uint64_t spared = 0;
  for (const Transfer transfer : {Transfer::direct, Transfer::indirect, Transfer::soft}) {
    for (const auto& [rollouts, greedy] : {std::pair{1u, true}, {1u, false}, {4u, false}}) {
      for (const double alpha : {0.5, 1.0, 3.0}) {
        DecoderOptions o{.name = "tq", .alpha = alpha, .top_k = 7, .horizon = 4};
        o.choose = Choose::gumbel;
        o.transfer = transfer;
        o.rollouts = rollouts;
        o.greedy_rollouts = greedy;
        const Answer all = decode(o, false), bounded = decode(o, true);
        EXPECT_EQ(bounded.decoded.tokens, all.decoded.tokens);
        EXPECT_EQ(bounded.decoded.reward, all.decoded.reward);
        EXPECT_EQ(all.decoded.kl_kind, KlKind::exact);
        EXPECT_GE(bounded.decoded.kl_to_reference, all.decoded.kl_to_reference - 1e-12);
        EXPECT_LE(bounded.evaluations.policy, all.evaluations.policy);
        if (transfer == Transfer::soft) {  // its values are no means of rewards
          EXPECT_EQ(bounded.evaluations.policy, all.evaluations.policy);
          EXPECT_EQ(bounded.decoded.kl_kind, KlKind::exact);
        } else {
          EXPECT_EQ(bounded.decoded.kl_kind, KlKind::bound);
        }
        spared += all.evaluations.policy - bounded.evaluations.policy;
      }
    }
  }
  EXPECT_GT(spared, 0u);
}

TEST_P(BoundsDecodingTest, SoTheyAreWithOtherFlags) {
  for (const Elsewhere elsewhere : {Elsewhere::text, Elsewhere::plain}) {
    for (const std::string name : {"tq", "cd", "args"}) {
      DecoderOptions o{.name = name, .alpha = 2, .top_k = 7, .horizon = 4};
      o.choose = Choose::gumbel;
      o.min_p = 0.1;
      if (name != "args") {
        o.last = 3;
        o.elsewhere = elsewhere;
        o.text_weight = elsewhere == Elsewhere::text ? 2 : 1;
      }
      const Answer all = decode(o, false), bounded = decode(o, true);
      EXPECT_EQ(bounded.decoded.tokens, all.decoded.tokens);
      EXPECT_GE(bounded.decoded.kl_to_reference, all.decoded.kl_to_reference - 1e-12);
    }
  }
}

// Where the proposal alone chooses, no value is missing.
TEST_P(BoundsDecodingTest, PlainStepsHaveTheirExactKl) {
  DecoderOptions o{.name = "tq", .alpha = 2, .top_k = 7, .horizon = 4};
  o.choose = Choose::gumbel;
  o.first = 1;
  o.elsewhere = Elsewhere::plain;
  o.horizon = 1;  // the first step is the same in a response of two tokens
  const auto behind_the_second = [&](bool bounds) {
    return decode(o, bounds, 6).decoded.kl_to_reference -
           decode(o, bounds, 2).decoded.kl_to_reference;
  };
  EXPECT_NEAR(behind_the_second(true), behind_the_second(false), 1e-12);
  EXPECT_GT(std::abs(behind_the_second(true)), 1e-6);
  for (const Step& step : decode(o, true).steps) {
    if (step.rolled_out) continue;
    for (const CandidateView& c : step.candidates) {
      EXPECT_FALSE(c.given_up);
      EXPECT_NEAR(c.probability, std::exp(c.logprob), 1e-12);
    }
  }
}

// A candidate that was spared is shown: nothing else says what the proposal alone would have taken.
TEST_P(BoundsDecodingTest, SparedCandidatesAreShown) {
  DecoderOptions o{.name = "tq", .alpha = 3, .top_k = 5, .horizon = 4};
  o.choose = Choose::gumbel;
  const Answer all = decode(o, false), bounded = decode(o, true);
  std::size_t spared = 0;
  ASSERT_EQ(bounded.steps.size(), all.steps.size());
  for (std::size_t i = 0; i < all.steps.size(); ++i) {
    const Step &step = bounded.steps[i], &whole = all.steps[i];
    ASSERT_EQ(step.candidates.size(), whole.candidates.size());
    EXPECT_EQ(step.candidates[step.chosen].token, step.token);
    EXPECT_EQ(step.plain_choice, whole.plain_choice);
    double sum = 0;
    for (std::size_t c = 0; c < whole.candidates.size(); ++c) {
      const CandidateView& view = step.candidates[c];
      EXPECT_EQ(view.token, whole.candidates[c].token);
      EXPECT_EQ(view.logprob, whole.candidates[c].logprob);
      sum += view.probability;
      spared += view.given_up;
      EXPECT_TRUE(view.given_up
                      ? std::isnan(view.value) && view.probability == 0
                      : std::isnan(view.value) || view.value == whole.candidates[c].value);
    }
    EXPECT_NEAR(sum, 1, 1e-12);
  }
  EXPECT_GT(spared, 0u);
}

TEST_P(BoundsDecodingTest, GumbelDrawsAreForStepsOfOneTokenAndAllCandidates) {
  using Change = void (*)(DecoderOptions&);
  const std::pair<const char*, Change> changes[] = {
      {"--commit 2", [](DecoderOptions& o) { o.commit = 2; }},
      {"--block 2", [](DecoderOptions& o) { o.block = 2; }},
      {"--halve 1", [](DecoderOptions& o) { o.halvings = 1; }},
      {"--kl-budget", [](DecoderOptions& o) { o.kl_budget = 3; }},
      {"best-of", [](DecoderOptions& o) { o.name = "best-of"; }}};
  for (const auto& [word, change] : changes) {
    DecoderOptions o{.name = "tq", .alpha = 3, .top_k = 7, .horizon = 4};
    o.choose = Choose::gumbel;
    change(o);
    testing::expect_error(ErrorKind::usage, {"--choose gumbel", word}, [&] { decode(o, true); });
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, BoundsDecodingTest, ::testing::Range(1, 6));

}  // namespace
}  // namespace tq
