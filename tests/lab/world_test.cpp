// Trees, worlds by seed, and worlds that make no sense.
#include "transferq/lab/world.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <set>

#include "transferq/core/error.hpp"
#include "transferq/lab/random_world.hpp"
#include "transferq/lab/solve.hpp"

namespace tq::lab {
namespace {

using nlohmann::json;

TEST(Tree, EveryPrefixOnce) {
  for (const std::optional<Token> end : {std::optional<Token>{}, std::optional<Token>{1}}) {
    const Tree tree(3, 3, end);
    EXPECT_EQ(tree.size(), end ? 1u + 3 + 6 + 12 : 1u + 3 + 9 + 27);
    EXPECT_EQ(tree.leaves(), end ? 1u + 2 + 12 : 27u);
    std::set<tabular::Prefix> seen;
    for (Node node = 0; node < tree.size(); ++node) {
      const tabular::Prefix prefix = tree.prefix(node);
      EXPECT_TRUE(seen.insert(prefix).second);
      EXPECT_EQ(tree.find(prefix), node);
      EXPECT_EQ(tree.depth(node), prefix.size());
      EXPECT_EQ(tree.leaf(node), prefix.size() == 3 || (!prefix.empty() && end == prefix.back()));
      if (node == 0) continue;
      EXPECT_LT(tree.parent(node), node);
      EXPECT_EQ(tree.child(tree.parent(node), static_cast<std::size_t>(prefix.back())), node);
    }
  }
  const Tree tree(2, 2, 1);
  for (const tabular::Prefix& none : {tabular::Prefix{1, 0}, {0, 0, 0}, {2}, {-1}}) {
    EXPECT_FALSE(tree.find(none).has_value());
  }
}

TEST(Tree, SizesThatMakeNoSense) {
  EXPECT_THROW(Tree(0, 1, {}), Error);
  EXPECT_THROW(Tree(1, 0, {}), Error);
  EXPECT_THROW(Tree(2, 2, 2), Error);
  EXPECT_THROW(Tree(10, 10, {}), Error);
  EXPECT_THROW(Tree(2, 1'000'000'000, {}), Error);
  EXPECT_EQ(Tree(1, 5, 0).size(), 2u);  // it can only end
}

TEST(RandomWorld, BySeed) {
  RandomWorldOptions options;
  options.seed = 7;
  const World world = random_world(options), again = random_world(options);
  EXPECT_EQ(world.sft, again.sft);
  EXPECT_EQ(world.reward, again.reward);
  EXPECT_EQ(world.baseline_reward, again.baseline_reward);
  EXPECT_EQ(with_quality(world, options.quality, options.seed).baseline_reward,
            world.baseline_reward);
  options.seed = 8;
  const World other = random_world(options);
  EXPECT_NE(world.sft, other.sft);
  EXPECT_NE(world.reward, other.reward);
}

TEST(RandomWorld, TheBaselineRewardIsAMixture) {
  RandomWorldOptions options;
  for (const double quality : {1.0, 0.5, 0.0, -0.5, -1.0}) {
    options.quality = quality;
    const World world = random_world(options);
    double least = 2, most = -2;
    for (Node node = 0; node < world.tree.size(); ++node) {
      if (!world.tree.leaf(node)) continue;
      const double noise = world.baseline_reward[node] - quality * world.reward[node];
      least = std::min(least, noise);
      most = std::max(most, noise);
    }
    EXPECT_GE(least, -1e-12);
    EXPECT_LE(most, 1 - std::abs(quality) + 1e-12);
    EXPECT_NEAR(most - least, 1 - std::abs(quality), 0.1);  // 256 draws
  }
}

json good() {
  return json::parse(R"({"vocab": 2, "max_tokens": 2, "eos": 1, "alpha": 0.5, "beta": 1, "top_k": 1,
    "sft": {"": [0.5, 0.5], "0": [0.25, 0.75]},
    "reward": {"1": 0.5, "0.0": 1, "0.1": 0}, "baseline_reward": {"1": 0, "0.0": 0, "0.1": 0},
    "prefix_reward": {"": 0.1, "0": 0.2}})");
}

std::string complaint(const json& world) {
  try {
    make_world(tabular::parse_world(world, "w.json"), "w.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "";
}

TEST(World, MalformedOnesSayWhere) {
  EXPECT_EQ(complaint(good()), "");
  struct Break {
    const char* patch;  // JSON merge patch
    const char* message;
  };
  for (const Break& b : std::vector<Break>{
           {R"({"sft": {"0": null}})", "w.json: 'sft' has no row after '0'"},
           {R"({"sft": {"0": [0.5, 0.25]}})", "sums to 0.75 and not to 1"},
           {R"({"sft": {"1": [0.5, 0.5]}})",
            "'sft' has a row after '1', where a response has ended"},
           {R"({"sft": {"0.0": [0.5, 0.5]}})", "after '0.0', where a response has ended"},
           {R"({"reward": {"0.0": null}})", "'reward' has no value for '0.0'"},
           {R"({"reward": {"0": 1}})", "'reward' has '0', which is no finished response"},
           {R"({"reward": {"1.0": 1}})", "'reward' has '1.0', which is no finished response"},
           {R"({"baseline_reward": {"1": null}})", "'baseline_reward' has no value for '1'"},
           {R"({"prefix_reward": {"0": null}})", "'prefix_reward' has no value for '0'"},
           {R"({"prefix_reward": {"0.0": 0.5}})", "of the finished response '0.0' is 0.5"},
           {R"({"prefix_reward": {"1.0": 0.5}})", "no response or prefix of this world"},
           {R"({"max_reward": 2})", "'max_reward' is 2 but the best response has 1"},
           {R"({"max_reward": "x"})", "'max_reward' is not a number"},
           {R"({"prefix_rewards": {}})",
            "unknown key 'prefix_rewards' (did you mean 'prefix_reward'?)"},
           {R"({"eos_token": 1})", "unknown key 'eos_token'"},
           {R"({"vocab": null, "vocabulary": 2})", "unknown key 'vocabulary'"},
       }) {
    json world = good();
    world.merge_patch(json::parse(b.patch));
    const std::string said = complaint(world);
    EXPECT_NE(said.find(b.message), std::string::npos) << b.patch << "\n" << said;
    EXPECT_EQ(said.find('\n'), std::string::npos);
  }
}

// Nobody has to write down what never happens.
TEST(World, WhatIsNeverReachedMayBeMissing) {
  json world = good();
  world["sft"] = {{"", {0, 1}}};
  world["reward"] = {{"1", 0.5}, {"0.0", 9}};
  world["baseline_reward"] = {{"1", 0.25}};
  world["prefix_reward"] = {{"", 0}};
  const World w = make_world(tabular::parse_world(world), "w");
  EXPECT_EQ(w.reward[best_response(w)], 0.5);  // the 9 is out of reach
  const Solution solution = solve(w);
  for (const Case& c : solution.cases) {
    EXPECT_NEAR(c.expected_reward, 0.5, 1e-15) << c.name;
    EXPECT_NEAR(c.kl_to_sft, 0, 1e-15) << c.name;
  }
  EXPECT_NEAR(solution.at("tq_direct").theorem->suboptimality_bound(), 0, 1e-15);
}

TEST(World, WithoutRewardsOfPrefixesThereIsNoArgs) {
  json world = good();
  world.erase("prefix_reward");
  const World w = make_world(tabular::parse_world(world), "w");
  const json cases = cases_json(w, solve(w));
  EXPECT_FALSE(cases.contains("args"));
  EXPECT_TRUE(cases.contains("cd"));
  EXPECT_EQ(cases.size(), 14u);
}

}  // namespace
}  // namespace tq::lab
