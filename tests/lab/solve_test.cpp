// The exact solver against the answers of an independent program, in fixtures/tabular: every case,
// every key.
#include "transferq/lab/solve.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "transferq/lab/methods.hpp"

namespace tq::lab {
namespace {

using nlohmann::json;

// Every number of `expected` is in `got`, at the same place, within 1e-9; and nothing more.
void expect_equal(const json& got, const json& expected, const std::string& at) {
  ASSERT_EQ(got.is_structured(), expected.is_structured()) << at;
  if (!expected.is_structured()) {
    if (expected.is_null()) {
      EXPECT_TRUE(got.is_null()) << at;
      return;
    }
    ASSERT_TRUE(got.is_number() && expected.is_number()) << at;
    EXPECT_NEAR(got.get<double>(), expected.get<double>(), 1e-9) << at;
    return;
  }
  ASSERT_EQ(got.size(), expected.size()) << at;
  if (expected.is_array()) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expect_equal(got[i], expected[i], at + "/" + std::to_string(i));
    }
    return;
  }
  for (const auto& [key, value] : expected.items()) {
    ASSERT_TRUE(got.contains(key)) << at << "/" << key;
    expect_equal(got.at(key), value, at + "/" + key);
  }
}

std::string path_of(int number) {
  return std::string(TQ_FIXTURES) + "/tabular/world_00" + std::to_string(number) + ".json";
}

class Oracles : public testing::TestWithParam<int> {};

TEST_P(Oracles, EveryCaseAndKey) {
  const auto source = tabular::load_world(path_of(GetParam()));
  const World world = make_world(source, "w");
  ASSERT_EQ(source.cases.size(), 15u);
  expect_equal(cases_json(world, solve(world)), source.cases, "cases");
}

TEST_P(Oracles, SoftTransferIsTheRegularisedOptimum) {
  const World world = read_world(path_of(GetParam()));
  const Solution solution = solve(world);
  const Values soft = log_reach(world.tree, solution.at("tq_soft").law);
  const Values best = log_reach(world.tree, solution.at("aligned_to_target").law);
  // And the optimum is what its formula says, response by response.
  Values reach = log_reach(world.tree, world.sft);
  double total = 0;
  for (Node node = 0; node < world.tree.size(); ++node) {
    if (world.tree.leaf(node)) {
      total += std::exp(reach[node] + world.reward[node] / world.beta);
    }
  }
  for (Node node = 0; node < world.tree.size(); ++node) {
    EXPECT_NEAR(std::exp(soft[node]), std::exp(best[node]), 1e-12);
    if (!world.tree.leaf(node)) continue;
    EXPECT_NEAR(std::exp(best[node]),
                std::exp(reach[node] + world.reward[node] / world.beta) / total, 1e-12);
  }
}

// A world written and read again is the same, cases and all.
TEST_P(Oracles, WorldsSurviveBeingWritten) {
  const auto source = tabular::load_world(path_of(GetParam()));
  const World world = make_world(source, "w");
  const json written = world_json(world);
  const World again = make_world(tabular::parse_world(json::parse(written.dump())), "again");
  expect_equal(cases_json(again, solve(again)), source.cases, "cases");
  expect_equal(world_json(again), written, "world");
}

INSTANTIATE_TEST_SUITE_P(Lab, Oracles, testing::Range(1, 9));

TEST(Solve, TheTermsOfBothBoundsAddUp) {
  const World world = read_world(path_of(1));
  const json with_terms = cases_json(world, solve(world), true).at("tq_direct");
  const json& terms = with_terms.at("suboptimality_bound_terms");
  double sum = 0;
  for (const auto& [name, value] : terms.items()) sum += value.get<double>();
  EXPECT_NEAR(sum, with_terms.at("suboptimality_bound").get<double>(), 1e-12);
  // -beta log(0.1147 0.2326 0.2074), of the response 0.1.2.
  EXPECT_NEAR(terms.at("best_response").get<double>(),
              -0.4 * std::log(0.11472951896803064 * 0.2326281300695955 * 0.20742944991160023),
              1e-12);
  EXPECT_LT(terms.at("regularisation").get<double>(), 0);
  EXPECT_LT(terms.at("decoding").get<double>(), 0);
  const json& kl = with_terms.at("kl_bound_terms");
  EXPECT_NEAR(kl.at("alignment").get<double>(), 0.9200864349327219 / 0.4, 1e-12);
  EXPECT_NEAR(kl.at("decoding").get<double>(), 3 * 0.9200864349327219 / 0.25, 1e-12);
}

// One token, two responses: everything is known by hand.
TEST(Solve, TwoResponsesByHand) {
  const World world =
      make_world(tabular::parse_world(json::parse(
                     R"({"vocab": 2, "max_tokens": 1, "alpha": 0.5, "beta": 1, "top_k": 1,
              "sft": {"": [0.25, 0.75]}, "reward": {"0": 1, "1": 0},
              "baseline_reward": {"0": 0, "1": 0}})")),
                 "w");
  const Solution solution = solve(world);
  const double e = std::exp(1.0), p = 0.25 * e / (0.25 * e + 0.75);
  EXPECT_NEAR(solution.at("aligned_to_target").expected_reward, p, 1e-15);
  EXPECT_NEAR(solution.at("aligned_to_baseline_reward").expected_reward, 0.25, 1e-15);
  EXPECT_NEAR(solution.at("tq_direct").expected_reward, p * e * e / (p * e * e + 1 - p), 1e-15);
  EXPECT_EQ(solution.at("tq_direct_top1").expected_reward, 0);  // token 1 is likelier
  EXPECT_NEAR(solution.at("best_of_2").expected_reward, 1 - 0.75 * 0.75, 1e-15);
  EXPECT_NEAR(solution.at("best_of_16").expected_reward, 1 - std::pow(0.75, 16), 1e-15);
  EXPECT_THROW(solution.at("args"), std::exception);  // no reward of prefixes
}

// Best-of-N against a count over all pairs of draws, with equal rewards among them.
TEST(Solve, BestOfTwoByCountingAllPairs) {
  World world = read_world(path_of(3));
  const Tree& tree = world.tree;
  for (Node node = 0; node < tree.size(); ++node) {
    world.reward[node] = std::round(world.reward[node] * 3);
  }
  const Values reach = log_reach(tree, world.sft);
  Values counted(tree.size(), 0);
  for (Node a = 0; a < tree.size(); ++a) {
    for (Node b = 0; b < tree.size(); ++b) {
      if (!tree.leaf(a) || !tree.leaf(b)) continue;
      counted[world.reward[b] > world.reward[a] ? b : a] += std::exp(reach[a] + reach[b]);
    }
  }
  const Values got = log_reach(tree, best_of(tree, world.sft, world.reward, 2));
  for (Node node = 0; node < tree.size(); ++node) {
    if (tree.leaf(node)) {
      EXPECT_NEAR(std::exp(got[node]), counted[node], 1e-12);
    }
  }
}

}  // namespace
}  // namespace tq::lab
