#include "transferq/rollout/continuation.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "tests/rollout/bed.hpp"
#include "transferq/core/logspace.hpp"

namespace tq {
namespace {

using testing::Bed;
using testing::beginnings;
using testing::endless_bed;
using testing::evaluate;
using testing::expect_error;
using testing::last_of;
using testing::Tokens;
using testing::operator+;

TEST(Continuation, CountsAreThoseOfItsHeader) {
  const std::size_t k = 4;
  const Tokens candidates{3, 1, 4, 5};
  for (const std::size_t h : {1u, 2u, 5u}) {
    for (const std::size_t n : {1u, 3u}) {
      Bed bed = endless_bed();
      const ContinuationOptions options{h, n, false, false};
      for (const bool hidden : {false, true}) {
        const Expansion e = bed.expand(options, candidates, 100, hidden);
        const std::size_t fed = hidden ? h : h - 1;
        EXPECT_EQ(e.evaluations, k + beginnings(bed.session->model(), e, h, hidden));
        EXPECT_LE(e.evaluations, k + k * n * fed);
        if (n == 1) {
          EXPECT_EQ(e.evaluations, k + k * fed);
        }
      }
      const ContinuationOptions greedy{h, n, true, false};  // one roll-out, whatever n
      EXPECT_EQ(bed.expand(greedy, candidates).evaluations, k + k * (h - 1));
      EXPECT_EQ(bed.expand(greedy, candidates, 100, true).evaluations, k + k * h);
    }
  }
}

TEST(Continuation, HorizonZeroEvaluatesTheCandidatesOnlyForTheirHiddenStates) {
  Bed bed = endless_bed();
  EXPECT_EQ(bed.expand({.horizon = 0}, {3, 1}).evaluations, 0u);
  const Expansion e = bed.expand({.horizon = 0}, {3, 1}, 100, true);
  EXPECT_EQ(e.evaluations, 2u);
  EXPECT_EQ(e.rollouts.at(1).trail.last(), evaluate(bed.session->model(), {1, 2, 3, 1}).hidden);
  EXPECT_TRUE(e.rollouts.at(1).tokens.empty());
}

TEST(Continuation, WhereNothingIsRolledOutThereIsOneWayToDoSo) {
  Bed bed = endless_bed();
  for (const bool hidden : {false, true}) {
    const Expansion none = bed.expand({.horizon = 0, .samples = 4}, {3, 1}, 100, hidden);
    const Expansion last = bed.expand({.horizon = 5, .samples = 4}, {3, 1}, 1, hidden);
    for (const Expansion* e : {&none, &last}) {
      ASSERT_EQ(e->rollouts.size(), 2u);
      EXPECT_EQ(e->rollouts[0].weight, 1.0);
    }
  }
}

TEST(Continuation, RollOutsComeByCandidateWithEqualWeights) {
  Bed bed = endless_bed();
  const Expansion e = bed.expand({.horizon = 3, .samples = 4}, {7, 2, 9});
  ASSERT_EQ(e.rollouts.size(), 12u);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(e.rollouts[i].candidate, i / 4);
    EXPECT_EQ(e.rollouts[i].weight, 0.25);
    EXPECT_EQ(e.rollouts[i].tokens.size(), 3u);
    EXPECT_TRUE(e.rollouts[i].trail.empty());
  }
}

TEST(Continuation, CandidatesBranchesAreHandedBackForCommitting) {
  Bed bed = endless_bed();
  const Tokens candidates{7, 2};
  const Expansion e = bed.expand({.horizon = 3, .samples = 2}, candidates);
  for (std::size_t c = 0; c < 2; ++c) {
    const Tokens grown = bed.prefix + Tokens{candidates[c]};
    EXPECT_EQ(bed.session->tokens(e.branches.at(c).id()), grown);
    EXPECT_EQ(e.outputs.at(c).logits, evaluate(bed.session->model(), grown).logits);
  }
  EXPECT_EQ(bed.session->tokens(bed.trunk.id()), bed.prefix);
  // Trunk and candidates; the roll-outs' branches are gone.
  EXPECT_EQ(bed.session->capacity().free_branches, 97u);
}

TEST(Continuation, NoRollOutIsLongerThanTheRoomLeft) {
  Bed bed = endless_bed();
  const ContinuationOptions options{.horizon = 5};
  EXPECT_EQ(bed.expand(options, {3}, 3).rollouts.at(0).tokens.size(), 2u);
  EXPECT_EQ(bed.expand(options, {3}, 6).rollouts.at(0).tokens.size(), 5u);
  const Expansion last = bed.expand(options, {3}, 1);
  EXPECT_TRUE(last.rollouts.at(0).tokens.empty());
  EXPECT_EQ(last.evaluations, 0u);
  EXPECT_EQ(bed.expand(options, {3}, 1, true).evaluations, 1u);
}

TEST(Continuation, HiddenStatesAreThoseAfterTheLastTokenOfText) {
  const auto model = testing::random_table(3, 8, 3, Token{2});
  Bed bed(*model, {0, 1}, testing::session_of(500, 60));
  std::size_t ended = 0;
  const Expansion e = bed.expand({.horizon = 4, .samples = 8}, {0, 1}, 100, true);
  for (const Rollout& r : e.rollouts) {
    Tokens text = bed.prefix + Tokens{r.candidate == 0 ? 0 : 1} + r.tokens;
    if (text.back() == 2) ++ended, text.pop_back();
    EXPECT_EQ(r.trail.last(), evaluate(*model, text).hidden);
  }
  EXPECT_GT(ended, 0u);
  EXPECT_LT(ended, 16u);
}

TEST(Continuation, ARollOutStopsWithTheTokenThatEndsTheText) {
  const auto model = testing::random_table(3, 8, 3, Token{2});
  Bed bed(*model, {0, 1}, testing::session_of(500, 60));
  const Expansion e = bed.expand({.horizon = 6, .samples = 20}, {0});
  for (const Rollout& r : e.rollouts) {
    const auto end = std::find(r.tokens.begin(), r.tokens.end(), 2);
    if (end != r.tokens.end()) {
      EXPECT_EQ(end + 1, r.tokens.end());
    } else {
      EXPECT_EQ(r.tokens.size(), 6u);
    }
  }
  EXPECT_EQ(e.evaluations, 1 + beginnings(*model, e, 6, false));  // the candidate, and these
}

TEST(Continuation, ACandidateThatEndsTheTextIsNotRolledOut) {
  const auto model = testing::random_table(3, 4, 1, Token{2});
  Bed bed(*model, {0}, testing::session_of(500, 60));
  const Expansion e = bed.expand({.horizon = 2, .samples = 3}, {2, 1}, 100, true);
  EXPECT_FALSE(e.branches.at(0));
  ASSERT_EQ(e.rollouts.size(), 4u);
  EXPECT_EQ(e.rollouts[0].weight, 1.0);
  EXPECT_TRUE(e.rollouts[0].tokens.empty());
  EXPECT_TRUE(e.rollouts[0].trail.empty());
  const Expansion past = bed.expand({.horizon = 2, .samples = 3, .past_end = true}, {2, 1});
  EXPECT_TRUE(past.branches.at(0));
  EXPECT_EQ(past.rollouts.size(), 6u);
}

TEST(Continuation, GreedyTakesTheLikeliestTokenEachTime) {
  testing::TinyModels tiny;
  const auto model = tiny.load({.seed = 4});
  const Tokens prompt = model->tokenize("The good and", true);
  Bed bed(*model, prompt, testing::session_of(256, 20));
  const Tokens candidates{100, 101, 102};
  const Expansion e = bed.expand({.horizon = 8, .greedy = true}, candidates);
  ASSERT_EQ(e.rollouts.size(), 3u);
  for (const Rollout& r : e.rollouts) {
    Tokens tokens = prompt + Tokens{candidates[r.candidate]};
    for (const Token token : r.tokens) {
      EXPECT_EQ(token, static_cast<Token>(argmax(evaluate(*model, tokens).logits)));
      tokens.push_back(token);
    }
  }
}

// The tokens of each roll-out of candidate `c`.
std::vector<Tokens> of(const Expansion& e, std::size_t c) {
  std::vector<Tokens> out;
  for (const Rollout& r : e.rollouts) {
    if (r.candidate == c) out.push_back(r.tokens);
  }
  return out;
}

TEST(Continuation, DrawsDoNotDependOnWhatElseIsInTheBatch) {
  const auto model = testing::random_table(4, 6, 2, Token{3});
  Bed bed(*model, {0}, testing::session_of(2000, 100));
  const Expansion all = bed.expand({.horizon = 4, .samples = 5}, {2, 0, 1});
  const Expansion alone = bed.expand({.horizon = 4, .samples = 5}, {1});
  EXPECT_EQ(of(all, 2), of(alone, 0));
  const Expansion fewer = bed.expand({.horizon = 4, .samples = 3}, {1, 2});
  auto first = of(alone, 0);
  first.resize(3);
  EXPECT_EQ(of(fewer, 0), first);
  bed.key.step = 8;
  EXPECT_NE(of(bed.expand({.horizon = 4, .samples = 5}, {1}), 0), of(alone, 0));
}

TEST(Continuation, SamplesOfACandidateDiffer) {
  Bed bed = endless_bed();
  const auto drawn = of(bed.expand({.horizon = 4, .samples = 6}, {1}), 0);
  EXPECT_EQ(std::set<Tokens>(drawn.begin(), drawn.end()).size(), 6u);
}

// With one of the trunk, of blocks, and where roll-outs come in waves or begin alike.
TEST(Continuation, ATrailIsTheStateBehindEachToken) {
  const auto model = testing::random_table(3, 6, 2, Token{2});
  for (const std::size_t branches : {5u, 100u}) {
    for (const std::size_t block : {1u, 3u}) {
      Bed bed(*model, {0, 1}, testing::session_of(2000, branches));
      Trail trunk;
      trunk.append(evaluate(*model, bed.prefix).hidden);
      const Tokens candidates{0, 1, 2};
      ExpandRequest request{bed.trunk, candidates, 100, true, bed.key, {}};
      request.trail = trunk;
      const ContinuationOptions options{.horizon = 4, .samples = 6, .block = block};
      const Expansion e = Continuation(options).expand(request);
      for (const Rollout& r : e.rollouts) {
        if (candidates[r.candidate] == 2) {
          EXPECT_TRUE(r.trail.empty());
          continue;
        }
        Tokens text{candidates[r.candidate]};
        if (block > 1) text = text + e.blocks[r.candidate].tokens;
        text = text + r.tokens;
        if (text.back() == 2) text.pop_back();
        ASSERT_EQ(r.trail.length(), 1 + text.size());
        for (std::size_t i = 0; i <= text.size(); ++i) {
          const Tokens so_far(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(i));
          EXPECT_EQ(*r.trail.states()[i], evaluate(*model, bed.prefix + so_far).hidden);
        }
      }
    }
  }
}

TEST(Continuation, WavesGiveTheSameRollOuts) {
  const auto model = testing::random_table(4, 6, 2, Token{3});
  Bed wide(*model, {0}, testing::session_of(2000, 100));
  const ContinuationOptions options{.horizon = 4, .samples = 5};
  const Expansion once = wide.expand(options, {2, 0, 1}, 100, true);
  const auto expect_same = [&](const SessionOptions& narrow) {
    Bed bed(*model, {0}, narrow);
    const Expansion e = bed.expand(options, {2, 0, 1}, 100, true);
    ASSERT_EQ(e.rollouts.size(), once.rollouts.size());
    for (std::size_t i = 0; i < e.rollouts.size(); ++i) {
      EXPECT_EQ(e.rollouts[i].candidate, once.rollouts[i].candidate);
      EXPECT_EQ(e.rollouts[i].tokens, once.rollouts[i].tokens);
      EXPECT_EQ(last_of(e.rollouts[i]), last_of(once.rollouts[i]));
    }
    EXPECT_GE(e.evaluations, once.evaluations);  // those of other waves share nothing
  };
  for (std::size_t branches = 3; branches < 20; ++branches) {  // trunk, a candidate, one to grow
    expect_same(testing::session_of(2000, branches));
  }
  for (std::size_t cells = 6; cells < 70; ++cells) expect_same(testing::session_of(cells, 100));
}

TEST(Continuation, CandidatesThatDoNotFitSideBySideComeInGroups) {
  Bed bed(*testing::endless(12), {1}, testing::session_of(100, 3));
  const Expansion e = bed.expand({.horizon = 2}, {1, 2, 3});
  ASSERT_EQ(e.rollouts.size(), 3u);
  EXPECT_EQ(e.evaluations, 3u + 3u);
  // The last one's branch alone is still there to be committed.
  EXPECT_FALSE(e.branches.at(0));
  EXPECT_TRUE(e.outputs.at(0).logits.empty());
  EXPECT_FALSE(e.branches.at(1));
  EXPECT_EQ(bed.session->tokens(e.branches.at(2).id()), (Tokens{1, 3}));
  EXPECT_FALSE(e.outputs.at(2).logits.empty());
}

TEST(Continuation, ASessionWithoutRoomForOneCandidateAndOneRollOutIsACapacityError) {
  Bed branches(*testing::endless(12), {1}, testing::session_of(100, 2));
  expect_error(ErrorKind::capacity, {"2 branches"}, [&] {
    branches.expand({.horizon = 2}, {1, 2, 3});
  });
  EXPECT_EQ(branches.session->capacity().free_branches, 1u);
  Bed cells(*testing::endless(12), {1}, testing::session_of(3, 10));
  expect_error(ErrorKind::capacity, {"3 cells"}, [&] { cells.expand({.horizon = 5}, {1, 2}); });
  EXPECT_EQ(cells.session->capacity().free_cells, 2u);
}

TEST(Continuation, AStopRequestInterruptsAndLeavesNoBranchBehind) {
  Bed bed = endless_bed();
  std::stop_source stop;
  stop.request_stop();
  expect_error(ErrorKind::interrupted, {"interrupted"}, [&] {
    bed.expand({.horizon = 2}, {1, 2}, 100, false, stop.get_token());
  });
  EXPECT_EQ(bed.session->capacity().free_branches, 99u);
}

// What is committed of a roll-out: its branch and the output there, wherever it stops.
TEST(Continuation, RollOutsBranchesAreHandedBackAsFarAsTheyMayBeCommitted) {
  testing::TinyModels tiny;
  const auto model = tiny.load({.seed = 4});
  const Tokens prompt = model->tokenize("The good and", true);
  for (const bool greedy : {false, true}) {
    for (const bool hidden : {false, true}) {
      for (const std::size_t keep : {1u, 3u, 5u, 6u, 9u}) {
        Bed bed(*model, prompt, testing::session_of(256, 40));
        const Tokens candidates{100, 101, 102};
        const ContinuationOptions options{.horizon = 6, .samples = 2, .greedy = greedy};
        const auto before = bed.session->evaluations();
        const Expansion e = Continuation(options).expand(
            {bed.trunk, candidates, 100, hidden, bed.key, {}, keep, true});
        EXPECT_EQ(e.evaluations, bed.session->evaluations() - before);
        const Expansion plain = bed.expand(options, candidates, 100, hidden);
        EXPECT_EQ(e.evaluations, plain.evaluations);
        ASSERT_EQ(e.kept.size(), e.rollouts.size());
        for (std::size_t i = 0; i < e.rollouts.size(); ++i) {
          const Rollout& r = e.rollouts[i];
          EXPECT_EQ(r.tokens, plain.rollouts[i].tokens);
          ASSERT_TRUE(e.kept[i].branch);
          const bool ended = model->is_end(r.tokens.back());
          const std::size_t evaluated = r.tokens.size() - (ended || !hidden ? 1 : 0);
          Tokens grown = prompt + Tokens{candidates[r.candidate]};
          for (std::size_t j = 0; j < std::min(keep, evaluated); ++j) {
            const auto logprobs = log_softmax(evaluate(*model, grown).logits);
            EXPECT_NEAR(r.logprobs.at(j), logprobs[static_cast<std::size_t>(r.tokens[j])], 1e-4);
            grown.push_back(r.tokens[j]);
          }
          EXPECT_EQ(r.logprobs.size(), std::min(keep, r.tokens.size()));
          EXPECT_EQ(bed.session->tokens(e.kept[i].branch.id()), grown);
          const Output there = evaluate(*model, grown);
          if (keep <= evaluated) {
            EXPECT_LT(testing::distance(e.kept[i].output.logits, there.logits), 1e-3);
          }
          if (hidden) {
            EXPECT_EQ(e.kept[i].output.hidden.size(), there.hidden.size());
          }
        }
      }
    }
  }
}

TEST(Continuation, NoBranchIsHandedBackWhereHalfTheMemoryWouldNotStayFree) {
  for (const auto& [cells, kept] :
       std::vector<std::pair<std::size_t, bool>>{{21, false}, {60, true}}) {
    Bed bed(*testing::endless(12), {1}, testing::session_of(cells, 30));
    const Tokens candidates{1, 2, 3};
    const Expansion e =
        Continuation({.horizon = 5}).expand({bed.trunk, candidates, 100, false, bed.key, {}, 4});
    ASSERT_EQ(e.kept.size(), 3u);
    for (const Kept& one : e.kept) EXPECT_EQ(static_cast<bool>(one.branch), kept) << cells;
  }
}

// With two tokens to choose from, twelve roll-outs have much in common, and are what they would be
// each by itself.
TEST(Continuation, WhatRollOutsHaveInCommonIsEvaluatedOnce) {
  const auto model = testing::random_table(2, 9, 4);
  const Tokens candidates{1, 0};
  const ContinuationOptions options{.horizon = 5, .samples = 12};
  for (const bool hidden : {false, true}) {
    Bed bed(*model, {0, 1}, testing::session_of(4000, 120));
    const Expansion e = bed.expand(options, candidates, 100, hidden);
    EXPECT_EQ(e.evaluations, 2 + beginnings(*model, e, 5, hidden));
    EXPECT_LE(e.evaluations, 2u + 2 * (2 + 4 + 8 + 12 + (hidden ? 12 : 0)));
    for (const Rollout& r : e.rollouts) {
      const Tokens grown = bed.prefix + Tokens{candidates[r.candidate]} + r.tokens;
      if (hidden) {
        EXPECT_EQ(r.trail.last(), evaluate(*model, grown).hidden);
      }
    }
    // Three branches: the trunk, a candidate and a roll-out, so that none shares anything.
    Bed narrow(*model, {0, 1}, testing::session_of(4000, 3));
    const Expansion alone = narrow.expand(options, candidates, 100, hidden);
    EXPECT_EQ(alone.evaluations, 2u + 2 * 12 * (hidden ? 5 : 4));
    ASSERT_EQ(alone.rollouts.size(), e.rollouts.size());
    for (std::size_t i = 0; i < e.rollouts.size(); ++i) {
      EXPECT_EQ(e.rollouts[i].tokens, alone.rollouts[i].tokens);
    }
  }
}

}  // namespace
}  // namespace tq
