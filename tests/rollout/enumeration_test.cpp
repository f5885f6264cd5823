#include "transferq/rollout/enumeration.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

using testing::Tokens;
using testing::operator+;

class EnumerationTest : public ::testing::Test {
 protected:
  Expansion expand(const std::shared_ptr<const Model>& model, const Tokens& candidates,
                   std::size_t room, bool hidden = false) {
    trunk_ = Branch();  // before its session
    session_ = model->open_session(testing::session_of(100, 40));
    trunk_ = Branch::open(*session_);
    const Token start = 0;
    const Feed feed{trunk_.id(), {&start, 1}};
    session_->forward({&feed, 1});
    return Enumeration().expand({trunk_, candidates, room, hidden, {}, {}});
  }

  std::unique_ptr<Session> session_;
  Branch trunk_;
};

TEST_F(EnumerationTest, WeightsAreTheProductsOfTheTable) {
  const tabular::Table table{
      {{0}, {0.5, 0.25, 0.25}}, {{0, 1}, {0.5, 0.0, 0.5}}, {{0, 1, 0}, {0.2, 0.3, 0.5}}};
  const auto model =
      std::make_shared<tabular::TabularModel>(3, table, tabular::TabularOptions{.end = 2});
  const Expansion e = expand(model, {1}, 3);
  std::map<Tokens, double> weights;
  for (const Rollout& r : e.rollouts) weights[r.tokens] = r.weight;
  ASSERT_EQ(weights.size(), 4u);
  EXPECT_NEAR((weights[{0, 0}]), 0.1, 1e-12);
  EXPECT_NEAR((weights[{0, 1}]), 0.15, 1e-12);
  EXPECT_NEAR((weights[{0, 2}]), 0.25, 1e-12);
  EXPECT_NEAR((weights[{2}]), 0.5, 1e-12);
}

TEST_F(EnumerationTest, EveryContinuationComesOnceAndWeightsSumToOne) {
  for (const bool ends : {false, true}) {
    const auto model =
        testing::random_table(3, 6, 1, ends ? std::optional<Token>(2) : std::nullopt);
    for (std::size_t room = 1; room <= 4; ++room) {
      const Expansion e = expand(model, {0, 1}, room);
      std::map<std::size_t, double> sum;
      std::set<std::pair<std::size_t, Tokens>> seen;
      for (const Rollout& r : e.rollouts) {
        sum[r.candidate] += r.weight;
        EXPECT_TRUE(seen.insert({r.candidate, r.tokens}).second);
        EXPECT_LT(r.tokens.size(), room);
      }
      EXPECT_NEAR(sum[0], 1.0, 1e-12);
      EXPECT_NEAR(sum[1], 1.0, 1e-12);
      if (!ends) {
        EXPECT_EQ(e.rollouts.size(),
                  2 * static_cast<std::size_t>(std::pow(3, static_cast<double>(room - 1))));
      }
    }
  }
}

TEST_F(EnumerationTest, ACandidateThatEndsTheTextHasOneEmptyContinuation) {
  const Expansion e = expand(testing::random_table(3, 4, 1, Token{2}), {2}, 3);
  ASSERT_EQ(e.rollouts.size(), 1u);
  EXPECT_EQ(e.rollouts[0].weight, 1.0);
  EXPECT_TRUE(e.rollouts[0].tokens.empty());
  EXPECT_FALSE(e.branches.at(0));
  EXPECT_EQ(e.evaluations, 0u);
}

TEST_F(EnumerationTest, CountsItsEvaluationsAndKeepsTheCandidatesBranches) {
  const auto model = testing::random_table(3, 6, 1);
  const Expansion e = expand(model, {0, 1}, 3, true);
  EXPECT_EQ(e.evaluations + 1, session_->evaluations());
  EXPECT_EQ(session_->tokens(e.branches.at(1).id()), (Tokens{0, 1}));
  EXPECT_EQ(session_->capacity().free_branches, 37u);
  for (const Rollout& r : e.rollouts) {
    const Tokens tokens = Tokens{0, static_cast<Token>(r.candidate)} + r.tokens;
    EXPECT_EQ(r.trail.last(), testing::evaluate(*model, tokens).hidden);
  }
}

}  // namespace
}  // namespace tq
