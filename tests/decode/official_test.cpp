#include "transferq/decode/official.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/decode/decoding.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/core/text.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::logits_of;
using testing::run;
using testing::setup_of;
using testing::Tokens;
using testing::operator+;

class OfficialTest : public ::testing::Test {
 protected:
  DecoderOptions options(double alpha = 0.5) const {
    return {.name = "official", .alpha = alpha, .top_k = 4, .horizon = 3};
  }
  testing::TinyModels tiny_;
  const testing::TemporaryFolder folder_;
  const Policy policy_{tiny_.load({.seed = 3}), Format::raw};
  const Prompt prompt_ = make_prompt("p", "<|im_start|>The good");
};

TEST_F(OfficialTest, MakesExactlyMaxTokensAndDoesNotStopAtTheEndOfTheText) {
  // Whatever ends the text is worth most.
  const auto reward = testing::reward_of([](const Draft& d) {
    return d.text.size() > 10 && d.text.ends_with("<|im_end|>") ? 1.0 : -1.0;
  });
  const Answer out = run(setup_of(policy_, options(1e-3), reward, 10), prompt_);
  EXPECT_EQ(out.decoded.tokens.size(), 10u);
  EXPECT_EQ(out.steps.size(), 10u);
  EXPECT_EQ(out.decoded.finish, Finish::length);
}

TEST_F(OfficialTest, ProbabilitiesSumToOneHoweverSmallAlphaIs) {
  const auto same = testing::reward_of([](const Draft&) { return 0.75; });
  const auto other = testing::head_on(policy_, folder_);
  for (const double alpha : {1e-300, 1e-310, 5e-324, 1e300}) {
    for (const auto& reward : {same, std::shared_ptr<const Reward>(other)}) {
      const Answer out = run(setup_of(policy_, options(alpha), reward, 3), prompt_);
      for (const Step& step : out.steps) {
        double sum = 0;
        for (const CandidateView& c : step.candidates) sum += c.probability;
        EXPECT_NEAR(sum, 1.0, 1e-12) << alpha;
        const auto best =
            std::max_element(step.candidates.begin(), step.candidates.end(),
                             [](const auto& a, const auto& b) { return a.value < b.value; });
        if (alpha < 1) {
          EXPECT_EQ(step.candidates[step.chosen].value, best->value);
        }
      }
    }
  }
}

TEST_F(OfficialTest, TakesTheHighestOfLogitPlusWeightedReward) {
  const auto reward = testing::head_on(policy_, folder_);
  for (const double alpha : {0.1, 1.0}) {
    const Answer out = run(setup_of(policy_, options(alpha), reward, 6), prompt_);
    Tokens tokens;
    for (const Step& step : out.steps) {
      const auto logprobs = log_softmax(logits_of(policy_, prompt_, tokens));
      const auto best = top_k(logprobs, 4);
      std::vector<double> scores;
      for (std::size_t i = 0; i < 4; ++i) {
        const CandidateView& c = step.candidates.at(i);
        EXPECT_EQ(c.token, static_cast<Token>(best[i]));
        EXPECT_NEAR(c.logprob, logprobs[best[i]], 1e-4);
        scores.push_back(c.value / alpha + c.logprob);
      }
      EXPECT_EQ(step.chosen, argmax(scores));
      tokens.push_back(step.token);
    }
  }
}

// The value of a candidate: one greedy roll-out, the whole text with special tokens written out,
// what ended it cut off, tokenised anew, and the head without its bias.
TEST_F(OfficialTest, IndirectTakesTheHighestOfTheAuthorsScore) {
  const auto reward = testing::head_on(policy_, folder_);
  // The baseline's reward, as a function of what the target's head makes of the same text.
  const auto target_of = [&](const Draft& draft) {
    SessionPool pool(testing::session_of());
    return reward->open(prompt_, pool, {8, 1, 1})
        ->score(std::vector<Draft>{{draft.text, {}, {}, true}})
        .front();
  };
  const auto baseline_of = [](double r2) { return 2 * std::sin(50 * r2); };
  for (const double alpha : {0.02, 1.0}) {
    DecoderOptions o = options(alpha);
    o.transfer = Transfer::indirect;
    tq::Setup setup = setup_of(policy_, o, reward, 6);
    setup.baseline_reward = testing::reward_of([&](const Draft& draft) {
      EXPECT_TRUE(draft.whole);
      EXPECT_TRUE(draft.trail.empty());
      return baseline_of(target_of(draft));
    });
    const Answer out = run(setup, prompt_);
    ASSERT_EQ(out.steps.size(), 6u);
    for (const Step& step : out.steps) {
      std::vector<double> scores;
      for (const CandidateView& c : step.candidates) {
        scores.push_back(std::exp((c.value - baseline_of(c.value)) / 2) * c.value / alpha +
                         c.logprob);
      }
      // States and texts round differently: a tie is either's.
      EXPECT_NEAR(scores[step.chosen], *std::max_element(scores.begin(), scores.end()), 0.05);
    }
  }
}

TEST_F(OfficialTest, IndirectNeedsTheBaselinesReward) {
  DecoderOptions o = options();
  o.transfer = Transfer::indirect;
  testing::expect_error(ErrorKind::usage, {"--baseline-reward"}, [&] {
    run(setup_of(policy_, o, testing::head_on(policy_, folder_), 3), prompt_);
  });
}

TEST_F(OfficialTest, ValuesAreTheHeadOnTheWholeTextOfAGreedyRollOut) {
  const auto reward = testing::head_on(policy_, folder_);
  const HeadFile head = read_head(folder_ / "head.gguf");
  const Model& model = policy_.model();
  const Answer out = run(setup_of(policy_, options(), reward, 4), prompt_);
  Tokens tokens = policy_.encode(prompt_);
  for (const Step& step : out.steps) {
    for (const CandidateView& c : step.candidates) {
      Tokens rolled = tokens + Tokens{c.token};
      for (int i = 0; i < 3; ++i) {
        rolled.push_back(static_cast<Token>(argmax(testing::evaluate(model, rolled).logits)));
        if (model.is_end(rolled.back())) break;
      }
      while (model.is_end(rolled.back())) rolled.pop_back();
      const std::string text = replace_invalid_utf8(model.text(rolled, true));
      EXPECT_NEAR(c.value, testing::head_value(head, model, model.tokenize(text, true)) - head.bias,
                  1e-3);
    }
    tokens.push_back(step.token);
  }
}

TEST_F(OfficialTest, TheFinalRewardIsTheOrdinaryOneWithItsBias) {
  const auto reward = testing::head_on(policy_, folder_);
  const HeadFile head = read_head(folder_ / "head.gguf");
  const Answer out = run(setup_of(policy_, options(), reward, 4), prompt_);
  const std::string text = replace_invalid_utf8(policy_.model().text(out.decoded.tokens, false));
  EXPECT_NEAR(*out.decoded.reward,
              testing::head_value(head, policy_.model(),
                                  policy_.encode(prompt_) + policy_.model().tokenize(text, false)),
              1e-4);
}

// Texts that tokenise into other tokens than were decoded are read anew, from where they part.
TEST_F(OfficialTest, AReadingGoesOnFromThePromptOfThePolicy) {
  const std::string text = "<|im_start|>The good, the bad and the good once more";
  const auto reward = testing::head_on(policy_, folder_);
  const Answer out = run(setup_of(policy_, options(), reward, 4), make_prompt("p", text));
  EXPECT_GT(out.evaluations.reward, 0u);
  ASSERT_GT(out.prompt_tokens, 20u);
  EXPECT_EQ(out.evaluations.prompt, out.prompt_tokens);
  // Four candidates of up to four tokens and what was committed, four times, and the answer.
  EXPECT_LE(out.evaluations.reward, 4u * (4 * 4 + 8) + 8);
}

}  // namespace
}  // namespace tq
