#include "transferq/policy/session_pool.hpp"

#include <gtest/gtest.h>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/policy/stream.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::session_of;

class SessionPoolTest : public ::testing::Test {
 protected:
  // Cells that work asks for, as a pool sees it: two spare tokens a branch.
  static std::size_t cells(std::size_t prompt, const Workload& work) {
    return prompt + work.tokens + work.width * (work.depth + 2);
  }

  testing::TinyModels tiny_;
  const Policy policy_{tiny_.load(), Format::raw};  // a context of 256
};

TEST_F(SessionPoolTest, ASessionHoldsWhatWasPlanned) {
  SessionPool pool(session_of());
  const Workload work{20, 4, 5};
  pool.plan(policy_, 30, work);
  Session& session = pool.get(policy_);
  EXPECT_GE(session.capacity().cells, work.cells(30));
  EXPECT_EQ(session.capacity().cells, cells(30, work));
  EXPECT_EQ(&session, &pool.get(policy_));
}

TEST_F(SessionPoolTest, WhatUsersOfOneSessionAnnounceAddsUp) {
  SessionPool pool(session_of());
  const Workload work{20, 4, 5};
  const Policy same(policy_.shared_model(), Format::chat, {}, "Be kind");
  pool.plan(policy_, 30, work);
  pool.plan(same, 40, work);
  EXPECT_EQ(&pool.get(policy_), &pool.get(same));
  EXPECT_EQ(pool.get(policy_).capacity().cells, cells(30, work) + cells(40, work));
}

TEST_F(SessionPoolTest, AnotherModelOrAdapterHasASessionOfItsOwn) {
  SessionPool pool(session_of());
  Adapter adapter;
  adapter.lora = (tiny_ / "lora.gguf").string();
  llama::write_tiny_lora(adapter.lora, {});
  const Policy adapted(policy_.shared_model(), Format::raw, adapter);
  const Policy other(tiny_.load({.seed = 2}), Format::raw);
  for (const Policy* p : {&policy_, &adapted, &other}) pool.plan(*p, 10, {5, 1, 0});
  EXPECT_NE(&pool.get(policy_), &pool.get(adapted));
  EXPECT_NE(&pool.get(policy_), &pool.get(other));
  EXPECT_EQ(pool.get(policy_).capacity().cells, 17u);
}

TEST_F(SessionPoolTest, ASessionOfAnAdapterHasIt) {
  SessionPool pool(session_of());
  Adapter adapter;
  adapter.lora = (tiny_ / "lora.gguf").string();
  llama::write_tiny_lora(adapter.lora, {});
  const Policy adapted(policy_.shared_model(), Format::raw, adapter);
  pool.plan(adapted, 10, {5, 1, 0});
  Session& session = pool.get(adapted);
  const testing::Tokens tokens{70, 71, 72};
  const Branch branch = Branch::open(session);
  const Feed feed{branch.id(), tokens, Want::logits};
  const auto logits = session.forward({&feed, 1}).front().logits;
  EXPECT_LT(testing::distance(logits, testing::evaluate(policy_.model(), tokens, adapter).logits),
            1e-4);
  EXPECT_GT(testing::distance(logits, testing::evaluate(policy_.model(), tokens).logits), 0.5);
}

TEST_F(SessionPoolTest, SessionsGrowWithThePromptAndNeverShrink) {
  SessionPool pool(session_of());
  const auto cells_for = [&](std::size_t prompt) {
    pool.begin_prompt();
    pool.plan(policy_, prompt, {20, 2, 3});
    return pool.get(policy_).capacity().cells;
  };
  const std::size_t small = cells_for(30);
  EXPECT_EQ(cells_for(30), small);  // the plans of the prompt before are forgotten
  EXPECT_EQ(cells_for(80), small + 50);
  EXPECT_EQ(cells_for(10), small + 50);
}

TEST_F(SessionPoolTest, AStopRequestOfThePromptReachesItsEvaluations) {
  SessionPool pool(session_of());
  std::stop_source stop;
  pool.begin_prompt(stop.get_token());
  pool.plan(policy_, 10, {5, 1, 0});
  Stream stream(policy_, pool.get(policy_), testing::Tokens(10, 70));
  stop.request_stop();
  expect_error(ErrorKind::interrupted, {"interrupted"}, [&] { stream.state(); });
  EXPECT_EQ(stream.session().evaluations(), 0u);
  pool.begin_prompt();  // the next prompt is another one's
  pool.get(policy_);
  stream.state();
  EXPECT_EQ(stream.prompt_evaluations(), 10u);
}

const std::string kSystem = "Be kind to the bad, be good to the good, and say so in few words.";

TEST_F(SessionPoolTest, WhatPromptsHaveInCommonIsEvaluatedOnce) {
  const Policy kind(policy_.shared_model(), Format::chat, {}, kSystem);
  const Policy other(policy_.shared_model(), Format::chat, {}, "No: " + kSystem);
  SessionPool pool(session_of());
  std::vector<std::vector<double>> logits;
  for (const std::string text : {"Hi", "Ho, ho", "Hi"}) {
    pool.begin_prompt();
    for (const Policy* policy : {&kind, &other}) pool.plan(*policy, 100, {8, 1, 0});
    for (const Policy* policy : {&kind, &other}) {
      const testing::Tokens prompt = policy->encode(make_prompt("p", text));
      const std::size_t preamble = policy->preamble(prompt);
      ASSERT_GT(preamble, kSystem.size() / 2);
      pool.get(*policy);
      const std::uint64_t before = pool.evaluations();
      Stream stream(*policy, pool, prompt);
      EXPECT_EQ(pool.evaluations(), before);  // nothing yet
      logits.push_back(stream.state().logits);
      EXPECT_LT(testing::distance(logits.back(), testing::evaluate(policy->model(), prompt).logits),
                1e-4);
      const bool first = logits.size() <= 2;
      EXPECT_EQ(pool.evaluations() - before, prompt.size() - (first ? 0 : preamble));
      EXPECT_EQ(stream.prompt_evaluations(), prompt.size());
      EXPECT_EQ(stream.branch().length(), prompt.size());
    }
  }
  EXPECT_LT(testing::distance(logits[0], logits[4]), 1e-5);  // whoever came first
  EXPECT_LT(testing::distance(logits[1], logits[5]), 1e-5);
}

TEST_F(SessionPoolTest, WhatIsInCommonGoesWhereAPromptNeedsItsPlace) {
  const Policy kind(policy_.shared_model(), Format::chat, {}, kSystem);
  SessionPool pool(session_of(120));
  const auto evaluated = [&](const Prompt& said, std::size_t more) {
    pool.begin_prompt();
    const testing::Tokens prompt = kind.encode(said);
    pool.plan(kind, prompt.size(), {more, 1, 0});
    const std::uint64_t before = pool.evaluations();
    Stream stream(kind, pool, prompt);
    for (std::size_t i = 0; i < more; ++i) {
      stream.state();
      stream.append(70);
    }
    EXPECT_EQ(stream.branch().length(), prompt.size() + more);
    return pool.evaluations() - before - more;
  };
  const Prompt short_one = make_prompt("p", "Hi");
  const std::size_t size = kind.encode(short_one).size();
  const std::size_t preamble = kind.preamble(kind.encode(short_one));
  EXPECT_EQ(evaluated(short_one, 4), size);
  EXPECT_EQ(evaluated(short_one, 120 - size - 2), size - preamble);  // it is part of the plan
  Prompt own = short_one;  // begins with the template's first words alone
  own.messages.insert(own.messages.begin(), {"system", "Yes"});
  const Policy plain(policy_.shared_model(), Format::chat);
  {
    pool.begin_prompt();
    const testing::Tokens prompt = plain.encode(own);
    pool.plan(plain, prompt.size(), {118 - prompt.size(), 1, 0});
    Stream stream(plain, pool, prompt);
    for (std::size_t i = prompt.size(); i < 118; ++i) stream.append(70);
    EXPECT_EQ(stream.branch().length(), 118u);
  }
  EXPECT_EQ(evaluated(short_one, 4), size);  // it was forgotten
}

// One policy may have two: that of its prompts, and that of those with a system prompt of their
// own.
TEST_F(SessionPoolTest, APreambleOfAnotherKindOfPromptMakesRoom) {
  const Policy kind(policy_.shared_model(), Format::chat, {}, kSystem);
  const Prompt usual = make_prompt("p", "Hi");
  Prompt own = usual;
  own.messages.insert(own.messages.begin(), {"system", "Yes"});
  SessionPool pool(session_of(150));
  const auto answer = [&](const Prompt& said, std::size_t cells) {
    pool.begin_prompt();
    const testing::Tokens prompt = kind.encode(said);
    pool.plan(kind, prompt.size(), {cells - prompt.size(), 1, 0});
    const std::uint64_t before = pool.evaluations();
    Stream stream(kind, pool, prompt);
    for (std::size_t i = prompt.size(); i < cells; ++i) stream.append(70);
    EXPECT_EQ(stream.branch().length(), cells);
    return pool.evaluations() - before;
  };
  const std::size_t usual_size = kind.preamble(kind.encode(usual));
  const std::size_t own_size = kind.preamble(kind.encode(own));
  ASSERT_GE(std::min(usual_size, own_size), 32u);
  ASSERT_NE(usual_size, own_size);
  ASSERT_LE(100 + own_size, 150u + usual_size);
  const std::size_t longest = 85;  // leaves room for both
  EXPECT_EQ(answer(usual, longest), longest);
  EXPECT_EQ(answer(own, longest), longest);
  EXPECT_EQ(answer(usual, longest), longest - usual_size);
  EXPECT_EQ(answer(own, 148), 148 - own_size);  // takes the place of the other
  EXPECT_EQ(answer(usual, 148), 148u);
}

// Two users of one session, of one prompt or of two that begin alike.
TEST_F(SessionPoolTest, APromptThatOneUserEvaluatedIsSharedByOthers) {
  SessionPool pool(session_of());
  const testing::Tokens prompt(40, 70);
  testing::Tokens other = prompt;
  other[25] = 71;
  for (int round = 0; round < 2; ++round) {  // nothing is left of the prompt before
    pool.begin_prompt();
    pool.plan(policy_, 40, {8, 1, 0});
    pool.plan_cut(policy_, 40, {8, 1, 0});
    pool.get(policy_);
    const std::uint64_t before = pool.evaluations();
    EXPECT_EQ(pool.open(policy_, prompt).branch.length(), 0u);
    Stream first(policy_, pool, prompt);
    const std::vector<double> logits = first.state().logits;
    EXPECT_EQ(first.prompt_evaluations(), 40u);
    EXPECT_EQ(pool.evaluations() - before, 40u);

    const SessionPool::Beginning whole = pool.open(policy_, prompt);
    EXPECT_EQ(whole.branch.length(), 40u);
    EXPECT_EQ(whole.shared, 40u);
    const SessionPool::Beginning part = pool.open(policy_, other);
    EXPECT_EQ(part.branch.length(), 25u);
    EXPECT_EQ(part.shared, 25u);

    Stream again(policy_, pool, prompt), second(policy_, pool, other);
    EXPECT_LT(testing::distance(again.state().logits, logits), 1e-4);
    EXPECT_EQ(again.prompt_evaluations(), 1u);  // what follows the last token is asked for
    EXPECT_LT(
        testing::distance(second.state().logits, testing::evaluate(policy_.model(), other).logits),
        1e-4);
    EXPECT_EQ(second.prompt_evaluations(), 15u);
    EXPECT_EQ(pool.evaluations() - before, 40u + 1 + 15);
  }
}

TEST_F(SessionPoolTest, WhoIsAloneSharesNothing) {
  SessionPool pool(session_of());
  const testing::Tokens prompt(40, 70);
  pool.plan(policy_, 40, {8, 1, 0});
  const std::size_t free = pool.get(policy_).capacity().free_branches;
  {
    Stream stream(policy_, pool, prompt);
    stream.state();
  }
  EXPECT_EQ(pool.get(policy_).capacity().free_branches, free);
}

// Texts by themselves need no template.
TEST_F(SessionPoolTest, AShortBeginningIsNoPrompt) {
  const Policy table(testing::endless(12), Format::chat);  // has no template
  SessionPool pool(session_of());
  pool.plan(table, 1, {4, 1, 0});
  pool.get(table);
  const testing::Tokens begin{1};
  EXPECT_EQ(pool.open(table, begin).branch.length(), 0u);
}

TEST_F(SessionPoolTest, VeryWideWorkIsBoundedToBeDoneInWaves) {
  const Policy table(testing::endless(12), Format::raw);
  SessionPool pool(session_of());
  pool.plan(table, 100, {50, 1000, 1000});
  EXPECT_GE(pool.get(table).capacity().cells, 100u + 50 + 1000);
  EXPECT_LE(pool.get(table).capacity().cells, 10000u);
}

TEST_F(SessionPoolTest, APromptLongerThanTheContextIsAClearError) {
  SessionPool pool(session_of());
  pool.plan(policy_, 200, {56, 1, 0});
  expect_error(ErrorKind::input, {"201 tokens", "up to 56", "256", "shorten the prompt"}, [&] {
    pool.plan(policy_, 201, {56, 1, 0});
  });
}

TEST_F(SessionPoolTest, AFixedContextIsKeptAndBoundsThePrompt) {
  SessionPool pool(session_of(100));
  pool.plan(policy_, 60, {40, 10, 10});
  EXPECT_EQ(pool.get(policy_).capacity().cells, 100u);
  expect_error(ErrorKind::input, {"61 tokens", "100", "raise --context"}, [&] {
    pool.plan(policy_, 61, {40, 10, 10});
  });
}

TEST_F(SessionPoolTest, AFixedContextIsCheckedAgainstAllUsersOfASession) {
  using Fit = SessionPool::Fit;
  SessionPool pool(session_of(100));
  pool.plan(policy_, 20, {30, 10, 10});
  pool.plan(policy_, 20, {30, 10, 10});
  pool.check(policy_, Fit::one_branch);
  expect_error(ErrorKind::input, {"340 tokens", "context of 100", "raise --context"},
               [&] { pool.check(policy_, Fit::all_branches); });
  pool.begin_prompt();
  pool.plan(policy_, 20, {30, 10, 10});
  pool.plan(policy_, 21, {30, 10, 10});
  expect_error(ErrorKind::input, {"101 tokens", "context of 100"},
               [&] { pool.check(policy_, Fit::one_branch); });
  SessionPool as_needed(session_of());
  as_needed.plan(policy_, 200, {30, 100, 100});
  as_needed.check(policy_, Fit::all_branches);
}

TEST_F(SessionPoolTest, AContextBeyondWhatTheModelWasTrainedForDoesNotLiftItsLimit) {
  SessionPool pool(session_of(1000));
  expect_error(ErrorKind::input, {"exceed the context of 256"}, [&] {
    pool.plan(policy_, 250, {10, 1, 0});
  });
}

}  // namespace
}  // namespace tq
