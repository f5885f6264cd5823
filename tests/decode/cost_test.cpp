// What a token costs in evaluations: the promise of docs and reports, whatever the prompt's length.
#include <gtest/gtest.h>

#include "tests/decode/decoding.hpp"
#include "transferq/reward/implicit.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::run;
using testing::setup_of;

constexpr std::size_t kTop = 10, kHorizon = 20;

class CostTest : public ::testing::Test {
 protected:
  static DecoderOptions options(const std::string& name) {
    return {.name = name, .alpha = 1.0, .top_k = kTop, .horizon = kHorizon};
  }
  static std::string numbers(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += std::to_string(i * 7 % 12) + ".";
    return text;
  }

  testing::TinyModels tiny_;
  const testing::TemporaryFolder folder_;
  // A model that never ends a text and whose texts tokenise back: costs are exact.
  const Policy endless_{testing::endless(12), Format::raw};
  const Policy other_endless_{std::make_shared<tabular::TabularModel>(
                                  12, tabular::Table{{{}, std::vector<double>(12, 1.0 / 12)}}),
                              Format::raw};
};

// Evaluations of the proposal for `tokens` tokens, the last of which leave less room for roll-outs.
std::uint64_t rolled(std::size_t tokens, bool hidden) {
  std::uint64_t sum = 0;
  for (std::size_t room = tokens; room > 0; --room) {
    const std::size_t depth = std::min(kHorizon, room - 1);
    if (hidden) {
      sum += kTop + kTop * depth;
    } else if (depth > 0) {
      sum += kTop + kTop * (depth - 1);
    }
  }
  return sum;
}

TEST_F(CostTest, WithARewardModelOfItsOwnTheCostIsTheRollOutsTwice) {
  const auto reward = testing::head_on(other_endless_, folder_);
  constexpr std::size_t kTokens = 30;
  const auto setup = setup_of(endless_, options("tq"), reward, kTokens);
  for (const std::size_t length : {3u, 300u}) {
    const Answer out = run(setup, make_prompt("a", numbers(length)));
    ASSERT_EQ(out.decoded.tokens.size(), kTokens);
    EXPECT_EQ(out.prompt_tokens, length);
    EXPECT_EQ(out.evaluations.policy, rolled(kTokens, false));
    EXPECT_LE(out.evaluations.policy, kTokens * kTop * kHorizon);
    EXPECT_LE(out.evaluations.reward, rolled(kTokens, true));
    EXPECT_GT(out.evaluations.reward, rolled(kTokens, true) * 8 / 10);
    EXPECT_EQ(out.evaluations.reference, 0u);
    EXPECT_EQ(out.evaluations.prompt, 2 * length);
  }
}

TEST_F(CostTest, ARewardOnThePolicysOwnSessionCostsNothing) {
  const auto reward = testing::head_on(endless_, folder_);
  constexpr std::size_t kTokens = 30;
  const auto setup = setup_of(endless_, options("tq"), reward, kTokens);
  for (const std::size_t length : {3u, 300u}) {
    const Answer out = run(setup, make_prompt("a", numbers(length)));
    ASSERT_EQ(out.decoded.tokens.size(), kTokens);
    EXPECT_EQ(out.evaluations.policy, rolled(kTokens, true));
    EXPECT_LE(out.evaluations.policy, kTokens * kTop * (kHorizon + 1));
    EXPECT_EQ(out.evaluations.reward, 0u);
    EXPECT_EQ(out.evaluations.prompt, length);
  }
}

TEST_F(CostTest, ArgsCostsTheCandidatesAlone) {
  constexpr std::size_t kTokens = 10;
  const Prompt prompt = make_prompt("a", numbers(5));
  const auto shared = testing::head_on(endless_, folder_);
  const Answer one = run(setup_of(endless_, options("args"), shared, kTokens), prompt);
  EXPECT_EQ(one.evaluations.policy, kTop * kTokens);
  EXPECT_EQ(one.evaluations.reward, 0u);
  const auto apart = testing::head_on(other_endless_, folder_);
  const Answer two = run(setup_of(endless_, options("args"), apart, kTokens), prompt);
  EXPECT_EQ(two.evaluations.policy, kTokens - 1);  // each token as it is committed
  EXPECT_LE(two.evaluations.reward, kTop * kTokens);
}

TEST_F(CostTest, ARuleCostsNothing) {
  const auto reward = testing::reward_of([](const Draft& d) { return double(d.text.size()); });
  const Answer out = run(setup_of(endless_, options("tq"), reward, 25), make_prompt("a", "1.2."));
  EXPECT_EQ(out.evaluations.policy, rolled(25, false));
  EXPECT_EQ(out.evaluations.reward, 0u);
}

TEST_F(CostTest, OnATransformerTheBoundsHoldForShortAndLongPrompts) {
  const Policy policy(tiny_.load({.seed = 3, .context = 1024}), Format::chat);
  const Policy judge(tiny_.load({.seed = 9, .context = 1024}), Format::chat);
  std::string text = "The good and the bad";
  while (text.size() < 400) text += ", and you are here in the other";
  for (const bool shared : {true, false}) {
    const auto reward = testing::head_on(shared ? policy : judge, folder_);
    const auto setup = setup_of(policy, options("tq"), reward, 24);
    for (const Prompt& prompt : {make_prompt("a", "Hi"), make_prompt("b", text)}) {
      const Answer out = run(setup, prompt);
      const double tokens = static_cast<double>(out.decoded.tokens.size());
      const double cost =
          static_cast<double>(out.evaluations.policy + out.evaluations.reward) / tokens;
      EXPECT_LE(cost, kTop * (kHorizon + 1) + 2 + (shared ? 0 : kTop * kHorizon)) << tokens;
      EXPECT_GT(cost, 0.0);
      EXPECT_EQ(out.evaluations.prompt, out.prompt_tokens * (shared ? 1 : 2));
    }
  }
}

// A reward in the policy's session goes on from the policy's prompt, of which it evaluates the last
// token alone, to read what follows. Answers are those of a session of its own, to the bit.
TEST(CostOfAPrompt, InASessionItIsEvaluatedOnce) {
  const auto model = testing::random_table(3, 8, 1), longer = testing::random_table(3, 9, 1);
  const Policy policy(model, Format::raw), other(testing::random_table(3, 8, 9), Format::raw);
  const auto reward = [&](const auto& aligned) {
    return std::shared_ptr<const Reward>(
        make_implicit(Policy(aligned, Format::raw), other, 0.5, true));
  };
  ASSERT_NE(model->identity(), longer->identity());  // and no text is so long that it matters
  for (const Choose choose : {Choose::sample, Choose::greedy}) {
    DecoderOptions o{.name = "tq", .alpha = 0.5, .top_k = 3, .horizon = 3};
    o.choose = choose;
    const Answer within = run(setup_of(policy, o, reward(model), 5), make_prompt("a", "012"));
    const Answer apart = run(setup_of(policy, o, reward(longer), 5), make_prompt("a", "012"));
    EXPECT_EQ(within.decoded.tokens, apart.decoded.tokens);
    EXPECT_EQ(within.decoded.reward, apart.decoded.reward);
    EXPECT_EQ(within.decoded.kl_to_reference, apart.decoded.kl_to_reference);
    EXPECT_EQ(apart.evaluations.prompt, 3u * 3);
    EXPECT_EQ(within.evaluations.prompt, 2u * 3 + 1);
    EXPECT_EQ(within.evaluations.policy, apart.evaluations.policy);
  }
}

}  // namespace
}  // namespace tq
