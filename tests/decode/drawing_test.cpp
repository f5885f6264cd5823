// What the decoders that draw have in common: states read for the reward, policies that are not
// read, branches that are committed, and responses that take turns.
#include "transferq/decode/drawing.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "tests/decode/exact_laws.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::run;
using testing::setup_of;
using testing::Tokens;
using testing::operator+;

const std::vector<std::string> kDrawing{"best-of", "soft-best-of", "speculative-rejection", "cbs",
                                        "cards"};

DecoderOptions options(const std::string& name) {
  return {.name = name,
          .alpha = 0.3,
          .samples = 6,
          .chunk = 2,
          .beams = 2,
          .cards = {.target = 1, .entropy = 1.2, .tries = 4}};
}

// A head that reads the policy's state scores the text, not the token that ended it, also where
// responses take turns: the same as in a session of its own.
TEST(Drawing, ARewardReadFromThePolicysStateIsThatOfTheText) {
  const testing::TemporaryFolder folder;
  const Policy policy(testing::random_table(4, 7, 3, Token{3}), Format::raw);
  const auto reward = testing::head_on(policy, folder);
  const HeadFile head = read_head(folder / "head.gguf");
  for (const std::string& name : kDrawing) {
    std::set<Finish> seen;
    const auto setup = setup_of(policy, options(name), reward, 6);
    for (int i = 0; i < 20; ++i) {
      const Prompt prompt = make_prompt(std::to_string(i), "0");
      const Answer out = run(setup, prompt);
      const Tokens text = Tokens{0} + policy.model().tokenize(out.decoded.text, false);
      EXPECT_NEAR(*out.decoded.reward, testing::head_value(head, policy.model(), text), 1e-6)
          << name;
      EXPECT_EQ(out.evaluations.reward, 0u) << name;
      seen.insert(out.decoded.finish);
      const Answer turns = run(setup, prompt, testing::session_of(8));
      EXPECT_EQ(turns.decoded.tokens, out.decoded.tokens) << name;
      EXPECT_EQ(turns.decoded.reward, out.decoded.reward) << name;
    }
    EXPECT_EQ(seen.count(Finish::stop), 1u) << name;
  }
}

TEST(Drawing, ABaselineThatIsNotReadIsNeverEvaluated) {
  const Policy reference(testing::random_table(4, 7, 3, Token{3}), Format::raw);
  const Policy baseline(testing::random_table(4, 7, 4, Token{3}), Format::raw);
  const Prompt prompt = make_prompt("a", "0");
  for (const std::string& name : kDrawing) {
    DecoderOptions o = options(name);
    o.proposal = Proposal::reference;
    const auto reward = testing::scattered_reward();
    const Answer alone = run(setup_of(reference, o, reward, 6), prompt);
    const Answer beside = run(setup_of(reference, o, reward, 6, baseline), prompt);
    EXPECT_EQ(beside.decoded.tokens, alone.decoded.tokens) << name;
    EXPECT_EQ(beside.evaluations.policy, alone.evaluations.policy) << name;
    EXPECT_EQ(beside.evaluations.prompt, alone.evaluations.prompt) << name;
    EXPECT_EQ(beside.evaluations.reference, 0u) << name;
  }
}

TEST(Drawing, TheSinkGetsEachTokenOnceInOrder) {
  const Policy policy(testing::random_table(4, 7, 3, Token{3}), Format::raw);
  for (const std::string& name : kDrawing) {
    const Answer out =
        run(setup_of(policy, options(name), testing::scattered_reward(), 6), make_prompt("a", "0"));
    Tokens tokens;
    for (const Step& step : out.steps) tokens.push_back(step.token);
    EXPECT_EQ(tokens, out.decoded.tokens) << name;
  }
}

// The law of a draw that any rule picks out of N, over few outcomes, against its bound.
RC_GTEST_PROP(SelectionBound, HoldsForAnyRule, ()) {
  const auto outcomes = *rc::gen::inRange<std::size_t>(1, 5);
  const auto n = *rc::gen::inRange<std::size_t>(1, 4);
  const auto mass = *rc::gen::container<std::vector<int>>(outcomes, rc::gen::inRange(1, 100));
  double total = 0;
  for (const int m : mass) total += m;
  std::size_t tuples = 1;
  for (std::size_t i = 0; i < n; ++i) tuples *= outcomes;
  const auto rule = *rc::gen::container<std::vector<std::size_t>>(
      tuples, rc::gen::inRange<std::size_t>(0, n));  // which of the tuple's draws is picked
  std::vector<double> law(outcomes, 0.0);
  for (std::size_t t = 0; t < tuples; ++t) {
    double p = 1;
    std::size_t picked = 0, rest = t;
    for (std::size_t i = 0; i < n; ++i, rest /= outcomes) {
      p *= mass[rest % outcomes] / total;
      if (i == rule[t]) picked = rest % outcomes;
    }
    law[picked] += p;
  }
  double kl = 0;
  for (std::size_t z = 0; z < outcomes; ++z) {
    if (law[z] > 0) kl += law[z] * std::log(law[z] * total / mass[z]);
  }
  RC_ASSERT(kl <= selection_bound(n) + 1e-12);
}

// On a transformer, every segment's branch that was committed is the prefix evaluated from nothing.
TEST(Drawing, CommittedSegmentsAreThePrefixEvaluatedFromNothing) {
  testing::TinyModels tiny;
  const Policy policy(tiny.load({.seed = 3}), Format::chat);
  const Prompt prompt = make_prompt("p", "The good");
  DecoderOptions o = options("cards");
  o.alpha = std::numeric_limits<double>::infinity();
  o.cards.entropy = 0;  // each token is a segment, accepted at once
  const tq::Setup setup = setup_of(policy, o, testing::scattered_reward(), 10);
  const Answer out = run(setup, prompt);
  Tokens tokens;
  for (const Token token : out.decoded.tokens) {
    const auto at = static_cast<std::uint32_t>(tokens.size());
    const RandomKey key{.seed = setup.seed, .prompt = hash32("p", 1), .step = at, .candidate = at};
    const auto logits = testing::logits_of(policy, prompt, tokens);
    EXPECT_EQ(token, static_cast<Token>(sample(logits, uniform(key))));
    tokens.push_back(token);
  }
  EXPECT_GE(tokens.size(), 5u);
  EXPECT_EQ(out.decoded.kl_to_reference, 0.0);
}

TEST(Drawing, MoreResponsesThanASessionHasBranchesTakeTurns) {
  testing::TinyModels tiny;
  const Policy policy(tiny.load({.seed = 3, .context = 1024}), Format::chat);
  for (const std::string name : {"best-of", "speculative-rejection", "cbs"}) {
    DecoderOptions o = options(name);
    o.samples = 300;
    const Answer out =
        run(setup_of(policy, o, testing::scattered_reward(), 4), make_prompt("p", "Hi"));
    EXPECT_FALSE(out.decoded.tokens.empty()) << name;
  }
}

}  // namespace
}  // namespace tq
