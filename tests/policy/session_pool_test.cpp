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
