// The production decoders by sampling, beside the exact solution that shares no code with them:
// every number of every method within four standard errors.
#include "transferq/lab/report/sampled.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "transferq/core/error.hpp"
#include "transferq/lab/random_world.hpp"

namespace tq::lab {
namespace {

// Standard errors estimated from a few tens of skewed draws are themselves wrong by several times
// when no rare answer is among them.
constexpr std::size_t kRuns = 400;

class Sampled : public testing::TestWithParam<int> {};

TEST_P(Sampled, WithinFourStandardErrors) {
  const World world = read_world(std::string(TQ_FIXTURES) + "/tabular/world_00" +
                                 std::to_string(GetParam()) + ".json");
  const auto rows = sample(world, {kRuns, 4, 1});
  std::set<std::string> methods;
  for (const SampledRow& r : rows) {
    methods.insert(r.method);
    EXPECT_LE(r.deviation(), 4) << r.method << " " << r.number << ": " << r.sampled << " +- "
                                << r.error << ", expected " << r.expected;
    EXPECT_TRUE(std::isfinite(r.error));
    // What draws no roll-outs has nothing between it and the exact answer.
    if (r.expected_error == 0) {
      EXPECT_EQ(r.expected, r.exact) << r.method;
    }
  }
  EXPECT_EQ(methods.size(), 15u);  // every case there is
}

INSTANTIATE_TEST_SUITE_P(Lab, Sampled, testing::Values(1, 2, 3, 7));

TEST(Sampled, FewRolloutsAreNotTheExactLaw) {
  RandomWorldOptions o;
  o.alpha = 0.05;
  o.vocabulary = 3;
  o.max_tokens = 3;
  const World world = random_world(o);
  for (const SampledRow& r : sample(world, {100, 1, 0})) {
    if (r.method == "cd" && r.number == "reward") {
      EXPECT_GT(std::abs(r.expected - r.exact), 10 * r.expected_error);
    }
  }
  EXPECT_THROW(sample(world, {1, 1, 0}), Error);
  EXPECT_THROW(sample(world, {2, 0, 0}), Error);
}

}  // namespace
}  // namespace tq::lab
