#include "transferq/rollout/blocks.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/rollout/bed.hpp"

namespace tq {
namespace {

using testing::Bed;
using testing::beginnings;
using testing::endless_bed;
using testing::evaluate;
using testing::last_of;
using testing::Tokens;
using testing::operator+;

Expansion expand_blocks(Bed& bed, ContinuationOptions options, std::size_t block,
                        const Tokens& first, bool hidden = true) {
  options.block = block;
  return bed.expand(options, first, 100, hidden);
}

TEST(Blocks, BlocksAreDrawnByTheirPlaceAndRolledOutBehind) {
  const auto model = testing::random_table(4, 9, 2, Token{3});
  Bed bed(*model, {0}, testing::session_of(4000, 120));
  const ContinuationOptions options{.horizon = 3, .samples = 2};
  const Tokens first{2, 2, 3, 1, 2};
  const Expansion e = expand_blocks(bed, options, 4, first);
  ASSERT_EQ(e.blocks.size(), first.size());
  std::size_t at = 0;
  std::set<Tokens> different;
  for (std::size_t c = 0; c < first.size(); ++c) {
    Tokens text = Tokens{0, first[c]} + e.blocks[c].tokens;
    const bool ended = text.back() == 3;
    if (first[c] != 3) {
      EXPECT_EQ(e.blocks[c].ended, ended);
      EXPECT_TRUE(ended || e.blocks[c].tokens.size() == 3);
    }
    if (first[c] == 2) different.insert(e.blocks[c].tokens);
    if (ended) text.pop_back();
    for (std::size_t s = 0; s < (ended ? 1u : 2u); ++s, ++at) {
      const Rollout& r = e.rollouts.at(at);
      EXPECT_EQ(r.candidate, c);
      EXPECT_EQ(r.tokens.empty(), ended);
      Tokens whole = text + r.tokens;
      if (whole.back() == 3) whole.pop_back();
      if (first[c] != 3) {
        EXPECT_EQ(r.trail.last(), evaluate(*model, whole).hidden);
      }
    }
    if (first[c] != 3) {
      EXPECT_EQ(bed.session->tokens(e.branches[c].id()), text);
      EXPECT_EQ(e.outputs[c].logits, evaluate(*model, text).logits);
    }
  }
  EXPECT_EQ(at, e.rollouts.size());
  EXPECT_GT(different.size(), 1u);
}

TEST(Blocks, BlocksInGroupsAreTheSame) {
  const auto model = testing::random_table(4, 9, 2, Token{3});
  const ContinuationOptions options{.horizon = 3, .samples = 2};
  const Tokens first{2, 0, 1, 2};
  Bed wide(*model, {0}, testing::session_of(4000, 120));
  const Expansion once = expand_blocks(wide, options, 3, first);
  for (const std::size_t branches : {3u, 5u, 8u, 12u}) {
    for (const std::size_t cells : {8u, 20u, 60u}) {
      Bed bed(*model, {0}, testing::session_of(cells, branches));
      const Expansion e = expand_blocks(bed, options, 3, first);
      ASSERT_EQ(e.rollouts.size(), once.rollouts.size());
      EXPECT_GE(e.evaluations, once.evaluations);
      for (std::size_t i = 0; i < e.rollouts.size(); ++i) {
        EXPECT_EQ(e.rollouts[i].tokens, once.rollouts[i].tokens);
        EXPECT_EQ(last_of(e.rollouts[i]), last_of(once.rollouts[i]));
      }
    }
  }
}

TEST(Blocks, CountsOfBlocksAreThoseOfItsHeader) {
  const Tokens first{3, 1, 3};
  Bed bed = endless_bed();
  for (const bool hidden : {false, true}) {
    const Expansion e = expand_blocks(bed, {.horizon = 4, .samples = 2}, 5, first, hidden);
    EXPECT_EQ(e.evaluations, 3u * 5 + beginnings(bed.session->model(), e, 4, hidden));
  }
  EXPECT_EQ(expand_blocks(bed, {.horizon = 0}, 5, first, false).evaluations, 3u * 4);
  EXPECT_EQ(expand_blocks(bed, {.horizon = 0}, 5, first).evaluations, 3u * 5);
}

}  // namespace
}  // namespace tq
