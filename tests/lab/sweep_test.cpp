// Sweeps: each row is what solving that world says, in CSV and JSON alike.
#include "transferq/lab/sweep.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>

#include "transferq/core/error.hpp"
#include "transferq/lab/methods.hpp"
#include "transferq/lab/random_world.hpp"
#include "transferq/lab/solve.hpp"

namespace tq::lab {
namespace {

World small_world() {
  RandomWorldOptions o;
  o.seed = 5;
  o.vocabulary = 3;
  o.max_tokens = 3;
  o.end = 2;
  return random_world(o);
}

const SweepRow& row_of(const std::vector<SweepRow>& rows, const std::string& method, double value) {
  for (const SweepRow& r : rows) {
    if (r.method == method && r.value == value) return r;
  }
  throw std::runtime_error("no row of " + method);
}

TEST(Sweep, RowsAreSolutions) {
  const World world = small_world();
  const Solution now = solve(world);
  const auto same = [&](const SweepRow& row, const std::string& name) {
    const Case& c = now.at(name);
    EXPECT_EQ(row.expected_reward, c.expected_reward) << name;
    EXPECT_EQ(row.kl_to_sft, c.kl_to_sft) << name;
    EXPECT_EQ(row.suboptimality, c.suboptimality) << name;
    EXPECT_EQ(row.suboptimality_bound.has_value(), name == "tq_direct") << name;
  };
  const auto alpha = sweep("alpha", "w", world, {0.1, world.alpha});
  const auto beta = sweep("beta", "w", world, {world.beta});
  const auto quality = sweep("quality", "w", world, {0.6}, {5, 1});
  for (const char* name : {"tq_direct", "tq_indirect", "tq_direct_with_mismatched_baseline"}) {
    same(row_of(alpha, name, world.alpha), name);
    same(row_of(beta, name, world.beta), name);
    same(row_of(quality, name, 0.6), name);
  }
  same(row_of(alpha, "args", world.alpha), "args");
  same(row_of(alpha, "cd", world.alpha), "cd");
  same(row_of(beta, "tq_soft", world.beta), "tq_soft");
  EXPECT_GT(row_of(alpha, "tq_direct", 0.1).expected_reward,
            row_of(alpha, "tq_direct", world.alpha).expected_reward);
  for (const std::size_t n : {2, 4, 16}) {
    const auto best = sweep("samples", "w", world, {static_cast<double>(n)});
    same(best.at(0), "best_of_" + std::to_string(n));
  }
  const auto map = sweep("map", "w", world, {0.6}, {5, 1});
  EXPECT_EQ(map.size(), 8u);
  for (const SweepRow& row : map) {
    if (row.alpha != world.alpha) continue;
    EXPECT_EQ(row.expected_reward, now.at(row.method).expected_reward);
  }
  // Its points follow the scale of the reward: the same world in other units has the same KLs.
  World scaled = world;
  for (double& r : scaled.reward) r *= 100;
  const auto here = sweep("frontier", "w", world, sweep_values("frontier", world));
  const auto there = sweep("frontier", "w", scaled, sweep_values("frontier", scaled));
  ASSERT_EQ(here.size(), there.size());
  for (std::size_t i = 0; i < here.size(); ++i) {
    EXPECT_NEAR(here[i].kl_to_sft, there[i].kl_to_sft, 1e-9);
  }
  // The frontier passes through the reference and the aligned policy.
  const auto frontier = sweep("frontier", "w", world, {0, 1 / world.beta});
  EXPECT_NEAR(frontier.at(0).expected_reward, now.at("sft").expected_reward, 1e-15);
  EXPECT_NEAR(frontier.at(1).expected_reward, now.at("aligned_to_target").expected_reward, 1e-14);
  EXPECT_NEAR(frontier.at(1).kl_to_sft, now.at("aligned_to_target").kl_to_sft, 1e-14);
}

TEST(Sweep, HorizonsGoFromThePrefixToTheEnd) {
  const World world = small_world();
  const auto rows = sweep("horizon", "w", world, {0, 1, 2});
  const Solution now = solve(world);
  EXPECT_NEAR(row_of(rows, "cd", 0).expected_reward, now.at("args").expected_reward, 1e-15);
  // The candidate and two more tokens are a whole response.
  EXPECT_NEAR(row_of(rows, "cd", 2).expected_reward, now.at("cd").expected_reward, 1e-15);
  EXPECT_NEAR(row_of(rows, "tq_direct", 2).expected_reward, now.at("tq_direct").expected_reward,
              1e-15);
  EXPECT_NE(row_of(rows, "cd", 1).expected_reward, row_of(rows, "cd", 2).expected_reward);
  World none = world;
  none.prefix_reward.reset();
  EXPECT_TRUE(sweep("horizon", "w", none, {0, 1}).empty());
}

TEST(Sweep, CsvAndJsonSayTheSame) {
  std::vector<SweepRow> rows;
  for (const std::string& name : sweep_names()) {
    const World world = small_world();
    const auto values = sweep_values(name, world);
    EXPECT_FALSE(values.empty()) << name;
    const auto more =
        sweep(name, "a \"world\", by name", world, {values.front(), values.back()}, {1, 3});
    EXPECT_GE(more.size(), 2u) << name;
    rows.insert(rows.end(), more.begin(), more.end());
  }
  std::istringstream csv(sweep_csv(rows));
  std::string line;
  std::getline(csv, line);
  EXPECT_EQ(line,
            "sweep,value,alpha,beta,world,method,expected_reward,kl_to_sft,suboptimality,"
            "suboptimality_bound,kl_bound,value_error");
  const nlohmann::json json = sweep_json(rows);
  ASSERT_EQ(json.size(), rows.size());
  for (const nlohmann::json& row : json) {
    ASSERT_TRUE(std::getline(csv, line));
    EXPECT_NE(line.find(",\"a \"\"world\"\", by name\","), line.npos);
    const std::string method = fmt::format(",{},", row.at("method").get<std::string>());
    ASSERT_NE(line.find(method), line.npos);
    std::istringstream numbers(line.substr(line.find(method) + method.size()));
    for (const char* key : {"expected_reward", "kl_to_sft", "suboptimality", "suboptimality_bound",
                            "kl_bound", "value_error"}) {
      std::string cell;
      std::getline(numbers, cell, ',');
      EXPECT_EQ(cell.empty(), !row.contains(key));
      if (!cell.empty()) {
        EXPECT_EQ(std::stod(cell), row.at(key).get<double>()) << key;
      }
    }
  }
  EXPECT_FALSE(std::getline(csv, line));
}

TEST(Sweep, ValuesThatMakeNoSense) {
  const World world = small_world();
  const auto refused = [&](const std::string& name, double value) {
    try {
      sweep(name, "w", world, {value});
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
      return true;
    }
    return false;
  };
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  for (const double value : {0.0, -1.0, inf, nan}) {
    EXPECT_TRUE(refused("alpha", value)) << value;
    EXPECT_TRUE(refused("beta", value)) << value;
  }
  for (const double value : {1.5, -1.1, inf, nan}) EXPECT_TRUE(refused("quality", value)) << value;
  for (const double value : {0.0, 1.5, -1.0, inf, nan}) {
    EXPECT_TRUE(refused("rollouts", value)) << value;
    EXPECT_TRUE(refused("samples", value)) << value;
  }
  for (const double value : {0.5, -1.0, nan}) EXPECT_TRUE(refused("horizon", value)) << value;
  for (const double value : {-1.0, inf, nan}) EXPECT_TRUE(refused("frontier", value)) << value;
  EXPECT_TRUE(refused("alfa", 1));
}

}  // namespace
}  // namespace tq::lab
