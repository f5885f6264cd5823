#include "transferq/reward/implicit.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/reward/reward_list.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::Tokens;
using testing::operator+;

// ln rho(tokens behind the first `from` | before), a token at a time.
double log_likelihood(const Model& model, const Tokens& tokens, std::size_t from) {
  double sum = 0;
  for (std::size_t i = from; i < tokens.size(); ++i) {
    const Tokens prefix(tokens.begin(), tokens.begin() + static_cast<long>(i));
    sum +=
        log_softmax(testing::evaluate(model, prefix).logits)[static_cast<std::size_t>(tokens[i])];
  }
  return sum;
}

std::vector<double> score(const Reward& reward, const Prompt& prompt,
                          const std::vector<Draft>& drafts) {
  SessionPool pool(testing::session_of());
  return reward.open(prompt, pool, {8, 4, 4})->score(drafts);
}

TEST(Implicit, OnTablesItIsTheLogRatioOfTheTables) {
  const auto a = testing::random_table(3, 6, 1, 2), b = testing::random_table(3, 6, 7, 2);
  const auto reward = make_implicit(Policy(a, Format::raw), Policy(b, Format::raw), 0.5, true);
  const Prompt prompt = make_prompt("p", "01");
  const std::vector<Tokens> responses{{0}, {1, 1, 0}, {1, 2}, {2}, {}};
  std::vector<Draft> drafts;
  for (const Tokens& tokens : responses) {
    drafts.push_back(
        {a->text(tokens, false), tokens, {}, false, !tokens.empty() && tokens.back() == 2});
  }
  const auto scores = score(*reward, prompt, drafts);
  for (std::size_t i = 0; i < responses.size(); ++i) {
    const Tokens all = Tokens{0, 1} + responses[i];
    EXPECT_NEAR(scores[i], 0.5 * (log_likelihood(*a, all, 2) - log_likelihood(*b, all, 2)), 1e-12);
    EXPECT_NEAR(score(*reward, prompt, {drafts[i]}).at(0), scores[i], 1e-12);
  }
}

class ImplicitTest : public ::testing::Test {
 protected:
  testing::TinyModels tiny_;
  ModelStore store_;
  const std::filesystem::path file_ = tiny_.file();
  const std::shared_ptr<const Model> model_ = store_.model(file_.string());
};

TEST_F(ImplicitTest, ASystemPromptAgainstNoneIsEachPromptsLikelihood) {
  const auto reward =
      make_reward("implicit={system=Be kind\\, you},beta=2", store_, model_, Format::chat);
  const Prompt prompt = make_prompt("p", "How are you");
  const Policy kind(model_, Format::chat, {}, "Be kind, you"), plain(model_, Format::chat);
  const std::string text = "good and you";
  for (const bool ended : {false, true}) {
    Tokens response = model_->tokenize(text, false);
    if (ended) response.push_back(model_->end());
    const auto value = [&](const Policy& policy) {
      const Tokens before = policy.encode(prompt);
      return log_likelihood(*model_, before + response, before.size());
    };
    EXPECT_NEAR(score(*reward, prompt, {{text, {}, {}, false, ended}}).at(0),
                2 * (value(kind) - value(plain)), 1e-3);
    EXPECT_NEAR(score(*reward, prompt, {{"other", response, {}, false, ended}}).at(0),
                2 * (value(kind) - value(plain)), 1e-3)
        << "a draft's tokens go before its text";
  }
  EXPECT_TRUE(model_->is_end(model_->end()));
}

TEST_F(ImplicitTest, CostsAreToldForEachPolicy) {
  const auto reward = make_reward("implicit={system=Be kind},beta=1", store_, model_, Format::chat);
  SessionPool pool(testing::session_of());
  const auto scorer = reward->open(make_prompt("p", "a"), pool, {40, 4, 20});
  EXPECT_EQ(scorer->evaluations(), 0u);
  const std::vector<Draft> drafts{{"xyz", {}, {}, false}, {"vwq", {}, {}, false}};
  scorer->score(drafts);
  ASSERT_EQ(scorer->costs().size(), 2u);
  for (const ModelCost& cost : scorer->costs()) {
    EXPECT_EQ(cost.model, model_->name());
    EXPECT_GE(cost.responses, 6u);
    EXPECT_LE(cost.responses, 8u);  // and the token before, for each draft
    EXPECT_GT(cost.prompt, 0u);
  }
}

TEST_F(ImplicitTest, AResponseBeyondTheContextIsCutAtItsEnd) {
  const Prompt prompt = make_prompt("p", "a");
  const std::string text(200, 'x');
  const auto other = store_.model(tiny_.file({.seed = 5}).string());
  const auto reward =
      make_implicit(Policy(other, Format::chat), Policy(model_, Format::chat), 1, false);
  for (const std::size_t context : {64, 80, 100}) {  // fixed, for each policy's session
    SessionPool pool(testing::session_of(context, 8));
    const auto scorer = reward->open(prompt, pool, {20, 4, 8});
    const std::vector<Draft> drafts{{text, {}, {}, false}, {text + "yy", {}, {}, false}};
    const auto scores = scorer->score(drafts);
    EXPECT_NEAR(scores[0], scores[1], 1e-4);
  }
}

TEST_F(ImplicitTest, ATextOfMoreTokensThanWerePlannedIsReadAllTheSame) {
  const auto other = store_.model(tiny_.file({.seed = 5}).string());
  const auto reward =
      make_implicit(Policy(other, Format::chat), Policy(model_, Format::chat), 1, false);
  const std::string text(120, 'x');
  SessionPool small(testing::session_of()), large(testing::session_of());
  const std::vector<Draft> drafts{{"x", {}, {}, false}, {text, {}, {}, false}};
  const auto scorer = reward->open(make_prompt("p", "a"), small, {2, 1, 1});
  const double first = scorer->score({&drafts[0], 1}).at(0);
  const double second = scorer->score({&drafts[1], 1}).at(0);
  const auto right = reward->open(make_prompt("p", "a"), large, {200, 4, 4})->score(drafts);
  EXPECT_NEAR(first, right[0], 1e-3);
  EXPECT_NEAR(second, right[1], 1e-3);
}

TEST_F(ImplicitTest, BadPairsAndBetasAreRefused) {
  const auto read = [&](const std::string& list) {
    return make_reward(list, store_, model_, Format::chat);
  };
  for (const std::string beta : {"0", "-1", "nan", "inf"}) {
    expect_error(ErrorKind::usage, {"beta", "above 0"},
                 [&] { read("implicit={system=x},beta=" + beta); });
  }
  expect_error(ErrorKind::usage, {"sistem", "did you mean 'system'?"},
               [&] { read("implicit={sistem=x}"); });
  const auto other = testing::random_table(3, 2);
  expect_error(ErrorKind::usage, {"one vocabulary", other->name(), model_->name()}, [&] {
    make_implicit(Policy(model_, Format::raw), Policy(other, Format::raw), 1, false);
  });
}

}  // namespace
}  // namespace tq
