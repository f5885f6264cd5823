// What bounds spare changes nothing on real weights either: the same tokens for fewer evaluations.
// (On tables, to the bit: tests/decode/bounds_test.cpp.)
#include <gtest/gtest.h>

#include "real_models.hpp"
#include "tests/decode/decoding.hpp"

namespace tq {
namespace {

TEST(ExactSavings, BoundsSpareRollOutsAndChangeNoToken) {
  const Policy policy(testing::real_model("smollm2-f32"), Format::chat);
  const auto reward = testing::reward_of([](const Draft& d) {
    return uniform({.prompt = hash32(d.text.data(), d.text.size())});  // in [0, 1)
  });
  for (const Choose choose : {Choose::greedy, Choose::gumbel}) {
    const auto decode = [&](Range range) {
      DecoderOptions options{.name = "tq", .alpha = 0.4, .top_k = 8, .horizon = 6};
      options.greedy_rollouts = true;
      options.choose = choose;
      options.range = range;
      return testing::run(testing::setup_of(policy, options, reward, 10),
                          make_prompt("0", "Describe a rainy day."), {});
    };
    const testing::Answer all = decode({}), bounded = decode({0, 1});
    EXPECT_EQ(bounded.decoded.tokens, all.decoded.tokens);
    EXPECT_EQ(bounded.decoded.reward, all.decoded.reward);
    EXPECT_LT(bounded.evaluations.policy, all.evaluations.policy);
  }
}

}  // namespace
}  // namespace tq
