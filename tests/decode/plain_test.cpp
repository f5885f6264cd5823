// Decoders without values: greedy, sample and best-of.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/decode/decoding.hpp"
#include "transferq/core/logspace.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::head_value;
using testing::logits_of;
using testing::reward_of;
using testing::run;
using testing::setup_of;
using testing::Tokens;
using testing::operator+;

Policy ending_table() { return {testing::random_table(4, 7, 3, Token{3}), Format::raw}; }

std::shared_ptr<const Reward> count_of(char c) {
  return reward_of([c](const Draft& d) {
    return static_cast<double>(std::count(d.text.begin(), d.text.end(), c));
  });
}

class PlainTest : public ::testing::Test {
 protected:
  testing::TinyModels tiny_;
  const testing::TemporaryFolder folder_;
  const Policy policy_{tiny_.load({.seed = 3}), Format::chat};
  const Prompt prompt_ = make_prompt("p", "The good");
};

TEST_F(PlainTest, GreedyTakesTheLikeliestTokenOfEachPrefixEvaluatedFromNothing) {
  const Answer out = run(setup_of(policy_, {.name = "greedy"}, nullptr, 16), prompt_);
  Tokens tokens;
  double kl = 0;
  for (const Token token : out.decoded.tokens) {
    const auto logits = logits_of(policy_, prompt_, tokens);
    EXPECT_EQ(token, static_cast<Token>(argmax(logits)));
    kl -= log_softmax(logits)[static_cast<std::size_t>(token)];
    tokens.push_back(token);
  }
  EXPECT_NEAR(out.decoded.kl_to_reference, kl, 1e-3);
  EXPECT_FALSE(out.decoded.reward.has_value());
}

TEST_F(PlainTest, APlainTokenCostsOneEvaluationAndTheLastNone) {
  for (const std::string name : {"greedy", "sample"}) {
    const Answer out = run(setup_of(policy_, {.name = name}, nullptr, 16), prompt_);
    EXPECT_EQ(out.evaluations.policy, out.decoded.tokens.size() - 1);
    EXPECT_EQ(out.evaluations.prompt, out.prompt_tokens);
    EXPECT_EQ(out.evaluations.reference + out.evaluations.reward, 0u);
  }
}

TEST_F(PlainTest, TheSinkGetsEachTokenOnceInOrder) {
  const Answer out = run(setup_of(policy_, {.name = "sample"}, nullptr, 16), prompt_);
  Tokens tokens;
  std::string text;
  for (const Step& step : out.steps) {
    tokens.push_back(step.token);
    text += step.text;
  }
  EXPECT_EQ(tokens, out.decoded.tokens);
  EXPECT_EQ(text, policy_.model().text(tokens, false));
}

TEST(Plain, SamplingIsReproducedByTheSeedAndThePromptsIdAlone) {
  tq::Setup setup = setup_of({testing::endless(12), Format::raw}, {.name = "sample"}, nullptr, 20);
  const auto tokens = [&](const std::string& id) {
    return run(setup, make_prompt(id, "3")).decoded.tokens;
  };
  const Tokens one = tokens("a");
  EXPECT_EQ(tokens("a"), one);
  EXPECT_NE(tokens("b"), one);
  setup.seed = 8;
  EXPECT_NE(tokens("a"), one);
}

TEST(Plain, SamplingFollowsTheModelsDistribution) {
  const auto model = testing::random_table(3, 2);
  tq::Setup setup = setup_of({model, Format::raw}, {.name = "sample"}, nullptr, 1);
  std::vector<double> counts(3, 0.0);
  constexpr int kDraws = 4000;
  Worker worker(setup, testing::session_of());
  for (int i = 0; i < kDraws; ++i) {
    const auto out = worker.generate(make_prompt(std::to_string(i), "0"));
    ++counts[static_cast<std::size_t>(out.decoded.tokens.at(0))];
  }
  const auto p = softmax(testing::evaluate(*model, {0}).logits);
  for (std::size_t z = 0; z < 3; ++z) {
    EXPECT_NEAR(counts[z] / kDraws, p[z], 4 * std::sqrt(p[z] * (1 - p[z]) / kDraws));
  }
}

TEST(Plain, TheEndOfTheTextStopsAndIsNoPartOfIt) {
  const auto setup = setup_of(ending_table(), {.name = "sample"}, nullptr, 6);
  std::set<Finish> seen;
  for (int i = 0; i < 20; ++i) {
    const Answer out = run(setup, make_prompt(std::to_string(i), "0"));
    const bool ended = out.decoded.tokens.back() == 3;
    seen.insert(out.decoded.finish);
    EXPECT_EQ(out.decoded.finish, ended ? Finish::stop : Finish::length);
    EXPECT_EQ(out.decoded.text.size() + (ended ? 1 : 0), out.decoded.tokens.size());
    EXPECT_EQ(out.decoded.text.find('3'), std::string::npos);
  }
  EXPECT_EQ(seen.size(), 2u);
}

TEST(Plain, KlOfSamplingAnotherPolicyIsSummedOverTheWholeVocabulary) {
  const Policy reference(testing::random_table(4, 6, 1), Format::raw);
  const Policy baseline(testing::random_table(4, 6, 2), Format::raw);
  const Prompt prompt = make_prompt("a", "0");
  const Answer out = run(setup_of(reference, {.name = "sample"}, nullptr, 4, baseline), prompt);
  double kl = 0;
  Tokens tokens;
  for (const Token token : out.decoded.tokens) {
    const auto p = softmax(logits_of(baseline, prompt, tokens));
    kl += kl_divergence(p, log_softmax(logits_of(reference, prompt, tokens)));
    tokens.push_back(token);
  }
  EXPECT_NEAR(out.decoded.kl_to_reference, kl, 1e-12);
  EXPECT_GT(kl, 0.0);
  EXPECT_EQ(
      run(setup_of(reference, {.name = "sample"}, nullptr, 4), prompt).decoded.kl_to_reference,
      0.0);
}

// A head that reads the policy's own state scores the text, not the token that ended it: the same
// as in a session of its own. The table's text tokenises back to its tokens, so equal to the bit.
TEST(Plain, ARewardReadFromThePolicysStateIsThatOfTheText) {
  const testing::TemporaryFolder folder;
  const Policy policy = ending_table();
  const auto reward = testing::head_on(policy, folder);
  const HeadFile head = read_head(folder / "head.gguf");
  for (const std::string name : {"greedy", "sample", "best-of", "args", "tq"}) {
    std::set<Finish> seen;
    const auto setup = setup_of(policy, {.name = name, .top_k = 4, .horizon = 2}, reward, 6);
    for (int i = 0; i < (name == "greedy" ? 1 : 20); ++i) {
      const Answer out = run(setup, make_prompt(std::to_string(i), "0"));
      const Tokens text = Tokens{0} + policy.model().tokenize(out.decoded.text, false);
      EXPECT_NEAR(*out.decoded.reward, head_value(head, policy.model(), text), 1e-6) << name;
      EXPECT_EQ(out.evaluations.reward, 0u) << name;
      seen.insert(out.decoded.finish);
    }
    if (name != "greedy") {
      EXPECT_EQ(seen.count(Finish::stop), 1u) << name;
    }
  }
}

TEST(BestOf, OfOneIsSampling) {
  const Policy policy = ending_table();
  const auto one = setup_of(policy, {.name = "best-of", .samples = 1}, count_of('1'), 6);
  const auto plain = setup_of(policy, {.name = "sample"}, nullptr, 6);
  for (int i = 0; i < 10; ++i) {
    const Prompt prompt = make_prompt(std::to_string(i), "0");
    EXPECT_EQ(run(one, prompt).decoded.tokens, run(plain, prompt).decoded.tokens);
  }
}

TEST(BestOf, MoreResponsesNeverScoreLowerAndTiesGoToTheFirst) {
  const Policy policy = ending_table();
  const Prompt prompt = make_prompt("a", "0");
  double best = -1;
  Tokens first;
  for (std::size_t n = 1; n <= 12; ++n) {
    const auto setup = setup_of(policy, {.name = "best-of", .samples = n}, count_of('1'), 6);
    const Answer out = run(setup, prompt);
    EXPECT_GE(*out.decoded.reward, best);
    if (*out.decoded.reward == best) {
      EXPECT_EQ(out.decoded.tokens, first);
    }
    best = *out.decoded.reward;
    first = out.decoded.tokens;
    EXPECT_EQ(best, std::count(out.decoded.text.begin(), out.decoded.text.end(), '1'));
    const double bound = std::log(n) - (static_cast<double>(n) - 1) / static_cast<double>(n);
    EXPECT_NEAR(out.decoded.kl_to_reference, bound, 1e-12);
    EXPECT_EQ(out.decoded.kl_kind, KlKind::bound);
  }
  EXPECT_GT(best, 0.0);
}

TEST(BestOf, WavesGiveTheSameAnswer) {
  const Policy policy = ending_table();
  const auto setup = setup_of(policy, {.name = "best-of", .samples = 12}, count_of('1'), 6);
  const Prompt prompt = make_prompt("a", "0");
  const Answer once = run(setup, prompt);
  for (const std::size_t cells : {7u, 15u, 40u}) {
    const Answer waves = run(setup, prompt, testing::session_of(cells));
    EXPECT_EQ(waves.decoded.tokens, once.decoded.tokens);
    EXPECT_EQ(waves.evaluations.policy, once.evaluations.policy);
  }
}

TEST(BestOf, KlFromAnotherReferenceAddsTheResponsesLogRatio) {
  const Policy reference(testing::random_table(4, 6, 1), Format::raw);
  const Policy baseline(testing::random_table(4, 6, 2), Format::raw);
  const Prompt prompt = make_prompt("a", "0");
  const auto setup =
      setup_of(reference, {.name = "best-of", .samples = 5}, count_of('1'), 4, baseline);
  const Answer out = run(setup, prompt);
  double kl = std::log(5.0) - 0.8;
  Tokens tokens;
  for (const Token token : out.decoded.tokens) {
    const auto z = static_cast<std::size_t>(token);
    kl += log_softmax(logits_of(baseline, prompt, tokens))[z] -
          log_softmax(logits_of(reference, prompt, tokens))[z];
    tokens.push_back(token);
  }
  EXPECT_NEAR(out.decoded.kl_to_reference, kl, 1e-12);
  EXPECT_EQ(out.decoded.kl_kind, KlKind::estimate);
  const auto own = setup_of(reference, {.name = "best-of", .samples = 5}, count_of('1'), 4);
  EXPECT_EQ(run(own, prompt).decoded.kl_kind, KlKind::bound);
}

}  // namespace
}  // namespace tq
