// Decoding by a learned value: in the place of roll-outs, and to choose which candidates roll out.
#include "transferq/value/learned.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/decode/decoding.hpp"
#include "transferq/core/logspace.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::expect_error;
using testing::operator+;

std::shared_ptr<const LearnedValue> value_of(const Model& model, std::uint64_t seed,
                                             std::size_t levels = 0) {
  const HeadFile head = testing::random_head(model, seed);
  ValueFile file;
  file.base_identity = model.identity();
  file.weights = head.weights;
  file.bias = head.bias;
  for (std::uint32_t l = 0; l < levels; ++l) {
    file.levels.push_back(static_cast<float>(l));
    file.level_biases.push_back(0.1F * static_cast<float>(l));
    const auto row = testing::random_head(model, 10 + l).weights;
    file.level_weights.insert(file.level_weights.end(), row.begin(), row.end());
  }
  return std::make_shared<LearnedValue>(std::move(file));
}

class LearnedTest : public ::testing::Test {
 protected:
  Answer decode(const Policy& policy, const DecoderOptions& o,
                const std::shared_ptr<const Reward>& reward, std::size_t tokens = 12) const {
    return testing::run(testing::setup_of(policy, o, reward, tokens), make_prompt("a", "Say 1"),
                        testing::session_of(0, 300));
  }
  static DecoderOptions options(std::shared_ptr<const LearnedValue> value, std::size_t screen = 0) {
    DecoderOptions out{.name = "tq", .alpha = 0.3, .top_k = 8, .horizon = 6};
    out.learned = std::move(value);
    out.screen = screen;
    return out;
  }

  testing::TinyModels tiny_;
  testing::TemporaryFolder folder_;
  const Policy policy_{tiny_.load(), Format::chat};
  const std::shared_ptr<const Reward> reward_ = testing::head_on(policy_, folder_);
};

// The reward's own head as the value is ARGS: the reward of the text so far.
TEST_F(LearnedTest, TheRewardItselfAsValueIsArgs) {
  for (const Choose choose : {Choose::greedy, Choose::sample}) {
    DecoderOptions o = options(value_of(policy_.model(), 1));
    o.choose = choose;
    const Answer learned = decode(policy_, o, reward_);
    o.learned = nullptr;
    o.name = "args";
    const Answer args = decode(policy_, o, reward_);
    EXPECT_EQ(learned.decoded.tokens, args.decoded.tokens);
    EXPECT_EQ(learned.decoded.reward, args.decoded.reward);
    EXPECT_DOUBLE_EQ(learned.decoded.kl_to_reference, args.decoded.kl_to_reference);
    EXPECT_EQ(learned.evaluations.policy, args.evaluations.policy);
    for (std::size_t s = 0; s < learned.steps.size(); ++s) {
      for (std::size_t i = 0; i < learned.steps[s].candidates.size(); ++i) {
        EXPECT_NEAR(learned.steps[s].candidates[i].value, args.steps[s].candidates[i].value, 1e-5);
      }
    }
  }
}

// Its own value is the head's; of a candidate that ends the response, the reward.
TEST_F(LearnedTest, ValuesAreThoseOfTheStates) {
  const auto value = value_of(policy_.model(), 5, 4);
  for (const bool soft : {false, true}) {
    DecoderOptions o = options(value);
    o.top_k = policy_.model().vocabulary();  // the end is among the candidates
    if (soft) o.transfer = Transfer::soft;
    o.beta = 0.7;
    const Step step = decode(policy_, o, reward_, 2).steps.front();
    const testing::Tokens prompt = policy_.encode(make_prompt("a", "Say 1"));
    std::size_t ends = 0;
    for (std::size_t i = 0; i < step.candidates.size(); i += 1) {
      const CandidateView& c = step.candidates[i];
      const bool end = policy_.model().is_end(c.token);
      if (!end && i % 20 > 0) continue;  // some of them
      if (end) {
        ++ends;
        EXPECT_NEAR(
            c.value,
            testing::head_value(testing::random_head(policy_.model()), policy_.model(), prompt),
            1e-4);
        continue;
      }
      const auto state =
          testing::evaluate(policy_.model(), prompt + testing::Tokens{c.token}).hidden;
      EXPECT_NEAR(c.value, soft ? value->soft(state, 0.7) : value->mean(state), 1e-4);
    }
    EXPECT_EQ(ends, 2u);
  }
}

// With room for one token more every candidate finishes the response: its value is its reward.
TEST_F(LearnedTest, TheLastTokensValueIsTheReward) {
  DecoderOptions o = options(value_of(policy_.model(), 5));
  const Step step = decode(policy_, o, reward_, 1).steps.front();
  o.learned = nullptr;
  o.name = "args";
  const Step args = decode(policy_, o, reward_, 1).steps.front();
  ASSERT_EQ(step.candidates.size(), args.candidates.size());
  for (std::size_t i = 0; i < step.candidates.size(); ++i) {
    EXPECT_EQ(step.candidates[i].value, args.candidates[i].value);
  }
}

// On a table, to the bit.
class ScreenTest : public LearnedTest {
 protected:
  const Policy table_{testing::random_table(9, 3), Format::raw};
  const std::shared_ptr<const Reward> noise_ = testing::reward_of(
      [](const Draft& d) { return uniform({.prompt = hash32(d.text.data(), d.text.size())}); });
  Answer decode(const DecoderOptions& o) const {
    return testing::run(testing::setup_of(table_, o, noise_, 6), make_prompt("a", "1."),
                        testing::session_of(4000, 300));
  }
};

TEST_F(ScreenTest, OneThatAllPassChangesNothing) {
  const auto value = value_of(table_.model(), 3);
  for (const std::size_t commit : {1u, 2u}) {
    DecoderOptions o = options(value, 8);
    o.commit = commit;
    o.horizon = 3;
    const Answer screened = decode(o);
    o.learned = nullptr;
    o.screen = 0;
    const Answer all = decode(o);
    EXPECT_EQ(screened.decoded.tokens, all.decoded.tokens);
    EXPECT_EQ(screened.evaluations.policy, all.evaluations.policy);
    for (std::size_t s = 0; s < all.steps.size(); ++s) {
      for (std::size_t i = 0; i < all.steps[s].candidates.size(); ++i) {
        EXPECT_EQ(screened.steps[s].candidates[i].probability,
                  all.steps[s].candidates[i].probability);
      }
    }
  }
}

TEST_F(ScreenTest, ThoseRollOutThatTheValueRanksHighest) {
  const auto value = value_of(table_.model(), 3);
  for (const std::size_t rollouts : {1u, 3u}) {
    DecoderOptions o = options(value, 3);
    o.rollouts = rollouts;
    o.horizon = 3;
    const Answer answer = decode(o);
    o.horizon = 0;
    o.screen = 0;
    o.rollouts = 1;
    const Step predicted = decode(o).steps.front();
    const Step& step = answer.steps.front();
    std::vector<double> scores;
    for (const CandidateView& c : predicted.candidates) {
      scores.push_back(c.logprob + c.value / o.alpha);
    }
    const auto best = tq::top_k(scores, 3);
    for (std::size_t i = 0; i < step.candidates.size(); ++i) {
      const bool passed = std::find(best.begin(), best.end(), i) != best.end();
      EXPECT_EQ(step.candidates[i].probability > 0, passed) << i;
      EXPECT_TRUE(std::isfinite(step.candidates[i].value));
    }
  }
  DecoderOptions o = options(value, 3);
  o.commit = 7;                                         // one step makes all six
  EXPECT_EQ(decode(o).evaluations.policy, 8u + 3 * 4);  // nobody looks behind the last token
  o.halvings = 1;  // of the three two go on behind the pause, at half of the five that have room
  EXPECT_EQ(decode(o).evaluations.policy, 8u + 3 * 2 + 2 * 2);
}

TEST_F(LearnedTest, RefusesWhatMakesNoSense) {
  const auto refused = [&](const DecoderOptions& o, const std::vector<std::string>& words) {
    expect_error(ErrorKind::usage, words, [&] { make_decoder(o, 1000); });
  };
  const auto value = value_of(policy_.model(), 1);
  DecoderOptions o = options(nullptr, 3);
  refused(o, {"--screen 3", "--value head=FILE"});
  o = options(value);
  o.name = "best-of";
  refused(o, {"--value", "best-of has none"});
  o = options(value);
  o.block = 2;
  refused(o, {"--block 2"});
  o = options(value);
  o.commit = 2;
  refused(o, {"--commit 2", "--screen N"});
  o = options(value);
  o.last = 4;
  refused(o, {"--last 4", "--screen N"});
  o = options(value);
  o.rollouts = 3;
  refused(o, {"--rollouts 3", "--screen N"});
  o = options(value);
  o.halvings = 2;
  refused(o, {"--halve 2", "--screen N"});
  o = options(value, 2);
  o.horizon = 0;
  refused(o, {"--screen 2", "--horizon 0"});
  o = options(value, 2);
  o.kl_budget = 1;
  refused(o, {"--screen 2", "--kl-budget"});
  o = options(value);
  o.transfer = Transfer::soft;
  refused(o, {"--transfer soft", "--levels"});
}

}  // namespace
}  // namespace tq
