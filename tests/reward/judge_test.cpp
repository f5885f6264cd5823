#include "transferq/reward/judge.hpp"

#include <gtest/gtest.h>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/reward/reward_list.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::Tokens;
using testing::operator+;

// On a model whose tokens are bytes and a few merges: "y" and "n" are one token each.
class JudgeTest : public ::testing::Test {
 protected:
  std::unique_ptr<Reward> read(const std::string& list, Format format = Format::chat) {
    return make_reward(list, store_, model_, format);
  }
  std::vector<double> score(const Reward& reward, const std::vector<Draft>& drafts) {
    SessionPool pool(testing::session_of());
    return reward.open(prompt_, pool, {60, 4, 8})->score(drafts);
  }
  // ln P(y) - ln P(n) after the tokens.
  double log_odds(const Tokens& tokens) const {
    const auto logs = log_softmax(testing::evaluate(*model_, tokens).logits);
    return logs[token("y")] - logs[token("n")];
  }
  std::size_t token(const std::string& text) const {
    return static_cast<std::size_t>(model_->tokenize(text, false).at(0));
  }
  Tokens special(const std::string& text) const { return model_->tokenize(text, true); }
  Tokens plain(const std::string& text) const { return model_->tokenize(text, false); }
  static Draft draft(std::string text) { return {std::move(text), {}, {}, false}; }

  testing::TinyModels tiny_;
  ModelStore store_;
  const std::filesystem::path file_ = tiny_.file();
  const std::shared_ptr<const Model> model_ = store_.model(file_.string());
  const Prompt prompt_ = make_prompt("p", "Hi");
  const std::string short_ = ",yes=y,no=n,prompt=Q {question} A:\n{answer}\n{criterion}";
};

TEST_F(JudgeTest, TheScoreIsTheLogOddsBehindTheFilledInPrompt) {
  const auto reward = read("judge=Good?" + short_);
  const std::vector<std::string> texts{"you", "bad", ""};
  std::vector<Draft> drafts;
  for (const auto& text : texts) drafts.push_back(draft(text));
  const auto scores = score(*reward, drafts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Tokens all = special("<|im_start|>user\nQ ") + plain("Hi") + special(" A:\n") +
                       plain(texts[i]) + special("\nGood?<|im_end|>\n<|im_start|>assistant\n");
    EXPECT_NEAR(scores[i], log_odds(all), 1e-3) << texts[i];
    EXPECT_NEAR(score(*reward, {drafts[i]}).at(0), scores[i], 1e-4);
  }
}

TEST_F(JudgeTest, CriteriaAreWeightedAndShareTheAnswersEvaluation) {
  const std::vector<Draft> drafts{draft("you and"), draft("bad")};
  const auto good = score(*read("judge=Good?" + short_), drafts);
  const auto brief = score(*read("judge=Brief?" + short_), drafts);
  const auto both = read("judge=Good?|Brief?,weights=2 -0.5" + short_);
  const auto scores = score(*both, drafts);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(scores[i], 2 * good[i] - 0.5 * brief[i], 1e-3);

  SessionPool pool(testing::session_of());
  const auto one_kind = read("judge=Good?" + short_);
  const auto one = one_kind->open(prompt_, pool, {20, 4, 8});
  one->score(drafts);
  SessionPool second(testing::session_of());
  const auto twice_kind = read("judge=Good?|Good?" + short_);
  const auto twice = twice_kind->open(prompt_, second, {20, 4, 8});
  twice->score(drafts);
  EXPECT_EQ(twice->evaluations() + twice->prompt_evaluations(),
            one->evaluations() + one->prompt_evaluations());
}

TEST_F(JudgeTest, SpecialTokensOfQuestionAndAnswerStayText) {
  const auto reward = read("judge=Good?" + short_);
  const Tokens all = special("<|im_start|>user\nQ ") + plain("Hi") + special(" A:\n") +
                     plain("<|im_end|>") + special("\nGood?<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_NEAR(score(*reward, {draft("<|im_end|>")}).at(0), log_odds(all), 1e-3);
  SessionPool pool(testing::session_of());
  const Tokens asked = special("<|im_start|>user\nQ ") + plain("<|im_end|>") + special(" A:\n") +
                       plain("a") + special("\nGood?<|im_end|>\n<|im_start|>assistant\n");
  const std::vector<Draft> drafts{draft("a")};
  EXPECT_NEAR(reward->open(make_prompt("p", "<|im_end|>"), pool, {20, 4, 8})->score(drafts).at(0),
              log_odds(asked), 1e-3);
}

TEST_F(JudgeTest, SeveralWordsOfOneMeaningAddUp) {
  const auto reward =
      read("judge=Good?,yes=y|Y,no=n,prompt=A:\n{answer}\n{criterion}", Format::raw);
  const auto logs = log_softmax(
      testing::evaluate(*model_, special("A:\n") + plain("you") + special("\nGood?")).logits);
  const std::vector<double> yes{logs[token("y")], logs[token("Y")]};
  EXPECT_NEAR(score(*reward, {draft("you")}).at(0), log_sum_exp(yes) - logs[token("n")], 1e-3);
}

TEST_F(JudgeTest, AnAnswerBeyondTheContextIsCutAtItsEnd) {
  const auto reward = read("judge=Good?" + short_);
  const auto frame = (special("<|im_start|>user\nQ ") + plain("Hi") + special(" A:\n")).size() +
                     special("\nGood?<|im_end|>\n<|im_start|>assistant\n").size();
  const std::size_t room = model_->context() - frame;
  const std::string most(room, 'x');
  EXPECT_NEAR(score(*reward, {draft(most + "yyyy")}).at(0), score(*reward, {draft(most)}).at(0),
              1e-4);
}

TEST_F(JudgeTest, AnswersOfSeveralTokensAndMalformedPromptsAreRefused) {
  expect_error(ErrorKind::usage, {"'Qzx'", "3 tokens", model_->name(), "yes="},
               [&] { read("judge=Good?,yes=Qzx,no=n"); });
  expect_error(ErrorKind::usage, {"{answer}"}, [&] { read("judge=Good?,yes=y,no=n,prompt=x"); });
  expect_error(ErrorKind::usage, {"{answer} once"},
               [&] { read("judge=a,yes=y,no=n,prompt=x {answer} {answer} {criterion}"); });
  expect_error(ErrorKind::usage, {"{criterion}"},
               [&] { read("judge=a|b,yes=y,no=n,prompt=\\{answer}"); });
  expect_error(ErrorKind::usage, {"question about the answer"}, [&] { read("judge="); });
  expect_error(ErrorKind::usage, {"weights=1", "one a piece"},
               [&] { read("judge=a|b,weights=1,yes=y,no=n"); });
  expect_error(ErrorKind::usage, {"weights=x"}, [&] { read("judge=a,weights=x,yes=y,no=n"); });
  expect_error(ErrorKind::io, {"/no/such"}, [&] { read("judge=a,prompt=@/no/such"); });
}

}  // namespace
}  // namespace tq
