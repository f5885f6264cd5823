#include "transferq/fit/split.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "transferq/fit/head_fit.hpp"

namespace tq {
namespace {

std::vector<std::string> groups_of(std::size_t units, std::size_t each) {
  std::vector<std::string> groups;
  for (std::size_t i = 0; i < units; ++i) groups.push_back(std::to_string(i / each));
  return groups;
}

TEST(SplitTest, AShuffleIsAPermutationThatItsKeyDecides) {
  auto order = shuffled(100, {.seed = 1});
  EXPECT_EQ(order, shuffled(100, {.seed = 1}));
  EXPECT_NE(order, shuffled(100, {.seed = 2}));
  EXPECT_NE(order, shuffled(100, {.seed = 1, .step = 1}));
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

TEST(SplitTest, HoldingOutKeepsGroupsTogether) {
  for (const std::size_t each : {1, 3, 7}) {
    const auto groups = groups_of(210, each);
    const Split split = hold_out(groups, 0.2, 5);
    EXPECT_EQ(split.training.size() + split.held_out.size(), 210u);
    EXPECT_EQ(split.held_out.size(), 42u);
    std::set<std::string> seen;
    for (const std::size_t i : split.training) seen.insert(groups[i]);
    for (const std::size_t i : split.held_out) EXPECT_EQ(seen.count(groups[i]), 0u);
    EXPECT_NE(split.held_out, hold_out(groups, 0.2, 6).held_out);
  }
}

TEST(SplitTest, FoldsAreOfAsGoodAsOneSizeAndKeepGroupsTogether) {
  const auto groups = groups_of(100, 3);
  const auto fold = deal_folds(groups, 5, {.seed = 2});
  std::map<std::string, std::size_t> of;
  std::vector<std::size_t> size(5, 0);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    EXPECT_EQ(of.try_emplace(groups[i], fold[i]).first->second, fold[i]);
    ++size[fold[i]];
  }
  const auto [least, most] = std::minmax_element(size.begin(), size.end());
  EXPECT_LE(*most - *least, 3u);
  EXPECT_EQ(fold, deal_folds(groups, 5, {.seed = 2}));
  EXPECT_NE(fold, deal_folds(groups, 5, {.seed = 3}));
}

}  // namespace
}  // namespace tq
