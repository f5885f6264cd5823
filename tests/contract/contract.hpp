// The contract that every engine keeps (transferq/engine/session.hpp), as GoogleTest suites
// parameterised by the engine. A new engine adds a file that instantiates both suites:
//
//   INSTANTIATE_TEST_SUITE_P(Mine, SessionContract, testing::Values(mine()), contract_name);
//   INSTANTIATE_TEST_SUITE_P(Mine, BatcherContract, testing::Values(mine()), contract_name);
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/engine/model.hpp"

namespace tq::contract {

using Tokens = std::vector<Token>;

struct Engine {
  std::string name;
  // Called once a test. The model's context must hold at least 200 tokens.
  std::function<std::shared_ptr<const Model>()> model;
  // How far a logit or hidden number may be from the same tokens evaluated otherwise; 0 = equal.
  double tolerance = 0;
  std::size_t micro_batch = kMicroBatch;
};

std::string contract_name(const testing::TestParamInfo<Engine>& info);
void PrintTo(const Engine& engine, std::ostream* out);  // the name alone

inline constexpr Want kAll = Want::logits | Want::argmax | Want::hidden;

class Contract : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override { model_ = GetParam().model(); }

  // Small sessions by default; one thread each, for the tests run many at once.
  std::unique_ptr<Session> session(std::size_t branches = 8, std::size_t cells = 200) const;
  // `count` tokens of the model's vocabulary, always the same for one seed.
  Tokens some(std::uint32_t seed, std::size_t count) const;
  // The outputs after the tokens, evaluated in a session of their own.
  Output alone(const Tokens& tokens) const;
  // All that was asked for, and right for these tokens.
  void expect_right(const Output& output, const Tokens& tokens, const std::string& where) const;

  std::shared_ptr<const Model> model_;
};

class SessionContract : public Contract {};
class BatcherContract : public Contract {};

// forward() for one feed.
Output feed(Session& session, BranchId branch, const Tokens& tokens, Want want = kAll);

Tokens operator+(Tokens a, const Tokens& b);

// Everything about a session that a failed call must leave alone.
struct State {
  std::uint64_t evaluations;
  std::size_t free_branches, free_cells;
  std::vector<Tokens> tokens;
  bool operator==(const State&) const = default;
};
State state(const Session& session, const std::vector<BranchId>& branches);

// Runs the call, which must throw Error of that kind and leave the state as it was.
template <typename Call>
void expect_refused(const Session& session, const std::vector<BranchId>& branches, ErrorKind kind,
                    const Call& call) {
  const State before = state(session, branches);
  try {
    call();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
  }
  EXPECT_TRUE(state(session, branches) == before) << "a refused call changed the session";
}

}  // namespace tq::contract
