#include "transferq/reward/prefix_cache.hpp"

#include <gtest/gtest.h>

#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

using testing::evaluate;
using testing::expect_error;
using testing::Tokens;
using testing::operator+;
using Sequences = std::vector<Tokens>;

// On a table, whose hidden states are exact and depend on every token.
class PrefixCacheTest : public ::testing::Test {
 protected:
  void open(std::size_t cells, std::size_t branches) {
    cache_.reset();
    session_ = model_->open_session(testing::session_of(cells, branches));
    cache_.emplace(*session_);
  }
  // The evaluations of a call, whose results are checked.
  std::uint64_t cost(const Sequences& sequences) {
    const auto before = session_->evaluations();
    const auto states = cache_->hidden(sequences);
    EXPECT_EQ(states.size(), sequences.size());
    for (std::size_t i = 0; i < states.size(); ++i) {
      EXPECT_EQ(states[i], evaluate(*model_, sequences[i]).hidden) << "sequence " << i;
    }
    EXPECT_EQ(cache_->evaluations(), session_->evaluations());
    return session_->evaluations() - before;
  }

  const std::shared_ptr<const Model> model_ = testing::endless(12);
  std::unique_ptr<Session> session_;
  std::optional<PrefixCache> cache_;
};

TEST_F(PrefixCacheTest, NothingCostsNothing) {
  open(100, 8);
  EXPECT_EQ(cost({}), 0u);
}

TEST_F(PrefixCacheTest, ASharedPrefixIsEvaluatedOnce) {
  open(100, 8);
  EXPECT_EQ(cost({{1, 2, 3, 4, 5}, {1, 2, 3, 6, 7}, {1, 2, 3, 8}}), 3u + 2 + 2 + 1);
}

TEST_F(PrefixCacheTest, SequencesWithoutACommonPrefixAreEvaluatedWhole) {
  open(100, 8);
  EXPECT_EQ(cost({{1, 2}, {3, 4}, {5}}), 5u);
}

TEST_F(PrefixCacheTest, ASequenceThatIsAPrefixOfAnotherIsRight) {
  open(100, 8);
  EXPECT_EQ(cost({{1, 2}, {1, 2, 3}}), 1u + 1 + 2);
}

TEST_F(PrefixCacheTest, TheSameAgainCostsNothing) {
  open(100, 8);
  const Sequences drafts{{1, 2, 3, 4}, {1, 2, 5, 6}};
  EXPECT_GT(cost(drafts), 0u);
  EXPECT_EQ(cost(drafts), 0u);
  EXPECT_EQ(cost({drafts[1]}), 0u);
}

TEST_F(PrefixCacheTest, OnlyWhatDiffersFromTheCallBeforeIsEvaluated) {
  open(100, 8);
  cost({{1, 2, 3, 4}, {1, 2, 5, 6}});
  // The first goes on from what is held; the second leaves it at the third token.
  EXPECT_EQ(cost({{1, 2, 3, 4, 7, 8}, {1, 2, 3, 9}}), 2u + 1);
}

TEST_F(PrefixCacheTest, AHeldSequenceCutShortNeedsItsLastTokenAgain) {
  open(100, 8);
  cost({{1, 2, 3, 4}});
  EXPECT_EQ(cost({{1, 2, 3}}), 1u);
}

TEST_F(PrefixCacheTest, ACompletelyDifferentCallStartsAnew) {
  open(100, 8);
  cost({{1, 2, 3, 4}, {1, 2, 3, 5}});
  EXPECT_EQ(cost({{6, 7}, {6, 8}}), 3u);
}

TEST_F(PrefixCacheTest, OldBranchesAreDropped) {
  open(100, 8);
  cost({{1, 2, 3, 4}, {1, 2, 3, 5}, {1, 2, 3, 6}});
  cost({{1, 2, 7}});
  EXPECT_EQ(session_->capacity().free_branches, 6u);  // a trunk and a sequence
  EXPECT_EQ(session_->capacity().free_cells, 97u);
}

// Six drafts of a prompt that shares a prefix of four, as a decoder makes them step by step.
Sequences drafts(std::size_t step, std::size_t count) {
  Sequences out;
  Tokens prefix{1, 2, 3, 4};
  for (std::size_t i = 0; i < step; ++i) prefix.push_back(static_cast<Token>(i % 12));
  for (std::size_t i = 0; i < count; ++i) {
    const auto z = static_cast<Token>(i);
    out.push_back(prefix + Tokens{z, z, z});
  }
  return out;
}

TEST_F(PrefixCacheTest, FewBranchesMeanWavesWithTheSameResults) {
  for (std::size_t branches = 2; branches <= 9; ++branches) {
    SCOPED_TRACE(branches);
    open(1000, branches);
    EXPECT_EQ(cost(drafts(0, 6)), 4u + 6 * 3);
    for (std::size_t step = 1; step < 5; ++step) EXPECT_LE(cost(drafts(step, 6)), 1u + 6 * 3);
  }
}

TEST_F(PrefixCacheTest, FewCellsMeanWavesWithTheSameResults) {
  for (std::size_t cells = 11; cells <= 40; ++cells) {
    SCOPED_TRACE(cells);
    open(cells, 32);
    EXPECT_EQ(cost(drafts(0, 6)), 4u + 6 * 3);
    for (std::size_t step = 1; step < 5; ++step) EXPECT_LE(cost(drafts(step, 6)), 1u + 6 * 3);
  }
}

TEST_F(PrefixCacheTest, ASequenceThatDoesNotFitAloneIsACapacityError) {
  open(5, 4);
  expect_error(ErrorKind::capacity, {"5 cells"}, [&] { cache_->hidden({{1, 2, 3, 4, 5, 6}}); });
  expect_error(ErrorKind::capacity, {"5 cells"}, [&] {
    cache_->hidden({{1, 2, 3}, {1, 2, 4, 5, 6, 7}});
  });
  EXPECT_LE(cost({{1, 2, 3, 4, 5}}), 5u);  // and the cache still works
}

TEST_F(PrefixCacheTest, TinyModelStatesEqualThoseEvaluatedFromNothing) {
  testing::TinyModels tiny;
  const auto model = tiny.load();
  const auto session = model->open_session(testing::session_of(256, 16));
  PrefixCache cache(*session);
  for (Token step = 0; step < 3; ++step) {
    Sequences sequences;
    for (Token z = 0; z < 5; ++z) sequences.push_back(Tokens{70, 71, 72} + Tokens(step, 80));
    for (Token z = 0; z < 5; ++z) sequences[z] = sequences[z] + Tokens{90 + z, 70, 75 + z};
    const auto states = cache.hidden(sequences);
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      const auto right = evaluate(*model, sequences[i]).hidden;
      for (std::size_t j = 0; j < right.size(); ++j) EXPECT_NEAR(states[i][j], right[j], 1e-4);
    }
  }
}

}  // namespace
}  // namespace tq
