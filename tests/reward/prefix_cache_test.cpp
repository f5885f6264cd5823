#include "transferq/reward/prefix_cache.hpp"

#include <gtest/gtest.h>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/core/logspace.hpp"

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
    const auto states = cache_->read(sequences);
    EXPECT_EQ(states.size(), sequences.size());
    for (std::size_t i = 0; i < states.size(); ++i) {
      const auto hidden = evaluate(*model_, sequences[i]).hidden;
      EXPECT_EQ(states[i], std::vector<double>(hidden.begin(), hidden.end())) << "sequence " << i;
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

TEST_F(PrefixCacheTest, WhatSomeHaveInCommonIsEvaluatedOnce) {
  const Sequences tree{{1, 2, 3, 4, 5}, {1, 2, 3, 4, 6}, {1, 2, 7, 8}, {1, 2, 7, 9}, {1, 2, 3, 8}};
  open(100, 12);
  EXPECT_EQ(cost(tree), 2u + (1 + (1 + 1 + 1) + 1) + (1 + 1 + 1));
  EXPECT_EQ(session_->capacity().free_branches, 6u);  // a trunk and five sequences
  open(100, 6);                                       // no branch to spare for what they share
  EXPECT_EQ(cost(tree), 2u + (1 + (1 + 1 + 1) + 1) + (1 + 1 + 1));
  // What comes next goes on from each.
  open(100, 20);
  cost(tree);
  Sequences next;
  for (const Tokens& tokens : tree) next.push_back(tokens + Tokens{10, 11});
  EXPECT_EQ(cost(next), 2u * 5);
}

TEST_F(PrefixCacheTest, OneSequenceManyTimesIsEvaluatedOnce) {
  open(100, 3);
  EXPECT_EQ(cost({{1, 2, 3}, {1, 2, 3}, {1, 2, 4}, {1, 2, 3}, {1, 2, 4}}), 2u + 1 + 1);
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

// A policy that decodes in the same session forks and feeds between two calls.
TEST_F(PrefixCacheTest, BranchesAreLeftToOthersOfTheSession) {
  for (std::size_t branches = 5; branches <= 14; ++branches) {
    SCOPED_TRACE(branches);
    open(1000, branches);
    for (std::size_t step = 0; step < 3; ++step) {
      cost(drafts(step, 6));
      const std::size_t free = session_->capacity().free_branches;
      EXPECT_GE(free, std::min<std::size_t>(branches - 1, 4));
      if (branches <= 6) continue;  // not all at once
      // The trunk alone is held where six sequences more would leave less than four branches.
      EXPECT_EQ(free, branches >= 11 ? branches - 7 : branches - 1);
    }
  }
}

TEST_F(PrefixCacheTest, OnlyTheTrunkIsHeldWhereAskedFor) {
  open(1000, 20);
  PrefixCacheOptions options;
  options.keep_only_trunk = true;
  cache_.emplace(*session_, options);
  cost(drafts(0, 6));
  EXPECT_EQ(session_->capacity().free_branches, 19u);
  EXPECT_EQ(session_->capacity().free_cells, 996u);
}

TEST_F(PrefixCacheTest, SequencesOfTheFirstTokenAreNoOthers) {
  open(100, 8);
  cost({{1, 2, 3}});
  cost({{1, 2, 3, 4}});
  EXPECT_EQ(cost({{0, 0, 5}}), 3u);
  cost({{0, 0, 5, 0}, {0, 0}});
  cost({{0}});
}

// One sequence is one evaluation, and what comes next goes on from it.
TEST_F(PrefixCacheTest, SoIsASequenceThatCameAlone) {
  open(1000, 20);
  PrefixCacheOptions options;
  options.keep_only_trunk = true;
  cache_.emplace(*session_, options);
  EXPECT_EQ(cost({{1, 2, 3, 4, 5}}), 5u);
  EXPECT_EQ(session_->capacity().free_branches, 19u);
  EXPECT_EQ(cost({{1, 2, 3, 4, 5, 6, 7}}), 2u);
  EXPECT_EQ(cost({{1, 2, 3, 8}, {1, 2, 3, 9}}), 2u);
  EXPECT_EQ(cost({{1, 2, 3, 9}}), 1u);
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
  expect_error(ErrorKind::capacity, {"5 cells"}, [&] { cache_->read({{1, 2, 3, 4, 5, 6}}); });
  expect_error(ErrorKind::capacity, {"5 cells"}, [&] {
    cache_->read({{1, 2, 3}, {1, 2, 4, 5, 6, 7}});
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
    const auto states = cache.read(sequences);
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      const auto right = evaluate(*model, sequences[i]).hidden;
      for (std::size_t j = 0; j < right.size(); ++j) EXPECT_NEAR(states[i][j], right[j], 1e-4);
    }
  }
}

// What a reading is, evaluated from nothing, a token at a time.
std::vector<double> from_nothing(const Model& model, const PrefixCacheOptions& options,
                                 const Tokens& tokens) {
  const Output end = evaluate(model, tokens);
  if (options.reading == Reading::last) return {end.hidden.begin(), end.hidden.end()};
  if (options.reading == Reading::next) {
    std::vector<double> out;
    for (const Token t : options.watch) {
      out.push_back(log_softmax(end.logits)[static_cast<std::size_t>(t)]);
    }
    return out;
  }
  const bool states = options.reading == Reading::states;
  std::vector<double> out;
  if (!states) out.push_back(0);
  const std::size_t from = states ? options.from : std::max<std::size_t>(options.from, 1);
  for (std::size_t i = from; i < tokens.size(); ++i) {
    const auto at = tokens.begin() + static_cast<long>(i);
    const Output one = evaluate(model, {tokens.begin(), states ? at + 1 : at});
    if (states) out.insert(out.end(), one.hidden.begin(), one.hidden.end());
    if (!states) out[0] += log_softmax(one.logits)[static_cast<std::size_t>(*at)];
  }
  return out;
}

// Random calls whose sequences grow, shrink, branch and repeat, in memories of many sizes.
TEST(PrefixCacheReadings, EqualEvaluationFromNothing) {
  testing::TinyModels tiny;
  const std::vector<std::shared_ptr<const Model>> models{testing::random_table(4, 7), tiny.load()};
  const std::vector<PrefixCacheOptions> readings{
      {Reading::last, 0, {}, false},       {Reading::next, 0, {0, 3}, true},
      {Reading::states, 2, {}, false},     {Reading::states, 0, {}, true},
      {Reading::likelihood, 2, {}, false}, {Reading::likelihood, 0, {}, true}};
  for (std::uint32_t run = 0; run < 80; ++run) {
    const Model& model = *models[run % 2];
    const PrefixCacheOptions& options = readings[run / 2 % readings.size()];
    SCOPED_TRACE(::testing::Message() << "run " << run);
    std::uint32_t drawn = 0;
    const auto draw = [&](std::size_t below) {
      const RandomKey key{.seed = run, .position = drawn++};
      return static_cast<std::size_t>(uniform(key) * static_cast<double>(below));
    };
    const auto session = model.open_session(testing::session_of(10 + draw(60), 3 + draw(12)));
    PrefixCache cache(*session, options);
    const Tokens prompt{1, 2, 3};
    for (std::size_t call = 0; call < 5; ++call) {
      Sequences sequences;
      for (std::size_t n = 1 + draw(5); n > 0; --n) {
        sequences.push_back(prompt);
        for (std::size_t m = draw(4); m > 0; --m) {
          sequences.back().push_back(static_cast<Token>(draw(4)));
        }
      }
      const auto results = cache.read(sequences);
      ASSERT_EQ(results.size(), sequences.size());
      for (std::size_t i = 0; i < sequences.size(); ++i) {
        const auto right = from_nothing(model, options, sequences[i]);
        ASSERT_EQ(results[i].size(), right.size());
        for (std::size_t j = 0; j < right.size(); ++j) {
          ASSERT_NEAR(results[i][j], right[j], run % 2 == 0 ? 1e-6 : 2e-4);
        }
      }
      EXPECT_EQ(cache.evaluations(), session->evaluations());
    }
  }
}

TEST(PrefixCacheReadings, ALikelihoodCostsWhatDiffersAndTheTokenBefore) {
  const auto model = testing::endless(12);
  const auto session = model->open_session(testing::session_of(100, 8));
  const PrefixCacheOptions options{Reading::likelihood, 3, {}, false};
  PrefixCache cache(*session, options);
  const auto cost = [&](const Sequences& sequences) {
    const auto before = cache.evaluations();
    const auto rows = cache.read(sequences);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_NEAR(rows[i][0], from_nothing(*model, options, sequences[i])[0], 1e-9);
    }
    return cache.evaluations() - before;
  };
  EXPECT_EQ(cost({{1, 2, 3, 4, 5}, {1, 2, 3, 6, 7}}), 3u + 2 + 2);
  // The trunk grows by 4, 5, of which the last is evaluated again.
  EXPECT_EQ(cost({{1, 2, 3, 4, 5, 8}}), 1u + 1);
  EXPECT_EQ(cost({{1, 2, 3, 4, 5, 8}, {1, 2, 3, 4, 5}}), 1u);  // the rest is held
  // Stems: 4, 5; then 6 and 7; 8 behind one of them.
  EXPECT_EQ(cost({{1, 2, 9, 4, 5, 6}, {1, 2, 9, 4, 5, 7, 8}, {1, 2, 9, 8}}), 1u + 2 + 1 + 2 + 1);
}

// Of a prompt that others evaluated, nothing is evaluated or counted again, but for a token whose
// reading nobody made.
TEST(PrefixCacheReadings, APromptThatIsHeldIsNotEvaluatedAgain) {
  const auto model = testing::random_table(4, 7);
  const Tokens prompt{1, 2, 3};
  for (const auto& [options, again] :
       {std::pair{PrefixCacheOptions{Reading::last, 0, {}, true}, 0u},
        {PrefixCacheOptions{Reading::next, 0, {0, 3}, true}, 0u},
        {PrefixCacheOptions{Reading::states, 2, {}, true}, 1u},
        {PrefixCacheOptions{Reading::likelihood, 3, {}, true}, 1u}}) {
    for (const Sequences& sequences : {Sequences{prompt + Tokens{1, 2}},
                                       Sequences{prompt + Tokens{1, 2}, prompt + Tokens{3, 1}}}) {
      const auto session = model->open_session(testing::session_of(60, 8));
      Branch held = Branch::open(*session);
      const Feed feed{held.id(), prompt};
      session->forward({&feed, 1});
      const auto before = session->evaluations();
      PrefixCache cache(*session, options, held.fork(), prompt.size());
      const auto rows = cache.read(sequences);
      for (std::size_t i = 0; i < sequences.size(); ++i) {
        const auto right = from_nothing(*model, options, sequences[i]);
        ASSERT_EQ(rows[i].size(), right.size());
        for (std::size_t j = 0; j < right.size(); ++j) EXPECT_NEAR(rows[i][j], right[j], 1e-6);
      }
      EXPECT_EQ(session->evaluations() - before, 2 * sequences.size() + again);
      EXPECT_EQ(cache.evaluations(), session->evaluations() - before);
    }
  }
}

}  // namespace
}  // namespace tq
