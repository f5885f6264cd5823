#include "transferq/engine/trail.hpp"

#include <gtest/gtest.h>

namespace tq {
namespace {

std::vector<float> values(const Trail& trail) {
  std::vector<float> out;
  for (const std::vector<float>* state : trail.states()) out.push_back(state->front());
  return out;
}

TEST(Trail, GrowsAtItsEnd) {
  Trail trail;
  EXPECT_TRUE(trail.empty());
  EXPECT_EQ(trail.length(), 0u);
  trail.append({1});
  trail.append_rows(std::vector<float>{2, 3}, 1);
  EXPECT_EQ(values(trail), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(trail.last(), std::vector<float>{3});
  trail.append_rows({}, 1);
  EXPECT_EQ(trail.length(), 3u);
}

TEST(Trail, CopiesGoOnByThemselvesAndShareTheirBeginning) {
  Trail one;
  one.append({1});
  one.append({2});
  Trail other = one;
  one.append({3});
  other.append({4});
  EXPECT_EQ(values(one), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(values(other), (std::vector<float>{1, 2, 4}));
  EXPECT_EQ(one.states()[1], other.states()[1]);
}

TEST(Trail, ItsBeginningIsTheTrailAsItWas) {
  Trail trail;
  trail.append_rows(std::vector<float>{1, 2, 3}, 1);
  EXPECT_EQ(values(trail.first(2)), (std::vector<float>{1, 2}));
  EXPECT_TRUE(trail.first(0).empty());
  EXPECT_EQ(values(trail.first(9)), values(trail));
}

TEST(Trail, ALongOneGoesWithoutRecursion) {
  Trail trail;
  for (int i = 0; i < 1'000'000; ++i) trail.append({});
  Trail beginning = trail.first(999'000);
  trail = {};
  EXPECT_EQ(beginning.length(), 999'000u);
}

}  // namespace
}  // namespace tq
