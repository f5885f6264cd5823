#include "transferq/lab/sweep.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"
#include "transferq/lab/methods.hpp"
#include "transferq/lab/random_world.hpp"
#include "transferq/lab/rollouts.hpp"
#include "transferq/lab/solve.hpp"

namespace tq::lab {
namespace {

constexpr const char* kMismatched = "tq_direct_with_mismatched_baseline";

using Cases = std::vector<Case>;

// The cases of a solution that a sweep shows.
Cases chosen(const Solution& solution, std::initializer_list<const char*> names) {
  Cases out;
  for (const char* name : names) {
    for (const Case& c : solution.cases) {
      if (c.name == name) out.push_back(c);
    }
  }
  return out;
}

double above_0(const char* what, double value) {
  if (value > 0 && std::isfinite(value)) return value;
  throw Error(ErrorKind::usage, fmt::format("{} {} must be a number above 0", what, value));
}

std::size_t whole(const char* what, double value, double least) {
  if (value >= least && value <= 1e6 && value == std::floor(value)) {
    return static_cast<std::size_t>(value);
  }
  throw Error(ErrorKind::usage,
              fmt::format("{} {} must be a whole number from {} to 1000000", what, value, least));
}

Cases over_alpha(World world, double alpha) {
  world.alpha = above_0("alpha", alpha);
  return chosen(solve(world, {{}}), {"tq_direct", "tq_indirect", kMismatched, "cd", "args"});
}

Cases over_beta(World world, double beta) {
  world.beta = above_0("beta", beta);
  return chosen(solve(world, {{}}),
                {"aligned_to_target", "tq_direct", "tq_indirect", kMismatched, "tq_soft"});
}

World of_quality(const World& world, double quality, std::uint64_t seed) {
  if (!(std::abs(quality) <= 1)) {
    throw Error(ErrorKind::usage, fmt::format("quality {} is not from -1 to 1", quality));
  }
  return with_quality(world, quality, seed);
}

Cases over_quality(const World& world, double quality, std::uint64_t seed) {
  return chosen(solve(of_quality(world, quality, seed), {{}}),
                {"aligned_to_baseline_reward", "tq_direct", "tq_indirect", kMismatched, "cd"});
}

// The two ways to use a baseline that is aligned to something else.
Cases over_map(const World& world) {
  const Tree& tree = world.tree;
  const Law other = aligned(tree, world.sft, world.baseline_reward, world.beta);
  const Values indirect =
      indirect_values(tree, other, world.reward, world.baseline_reward, world.beta);
  const Values direct = expected(tree, other, world.reward);
  const std::size_t all = tree.vocabulary();
  return {measured(world, "tq_indirect", by_value(tree, other, indirect, world.alpha, all)),
          measured(world, kMismatched, by_value(tree, other, direct, world.alpha, all))};
}

struct Rolled {
  Case measured;
  std::optional<double> error;
};

// Each method with N roll-outs, and how far its values are from those all would estimate.
std::vector<Rolled> over_rollouts(const World& world, double value, const SweepOptions& options) {
  const Estimation how{whole("rollouts", value, 1), options.repeats, options.seed};
  const Tree& tree = world.tree;
  const Law target = aligned(tree, world.sft, world.reward, world.beta);
  const Law other = aligned(tree, world.sft, world.baseline_reward, world.beta);
  const Values truth = expected(tree, target, world.reward);
  std::vector<Rolled> out;
  const auto add = [&](const char* name, const Law& policy, Transfer transfer) {
    Rolled one{measured(world, name, law_of_rollouts(world, policy, policy, transfer, how).law),
               {}};
    if (transfer != Transfer::soft) one.error = value_error(world, policy, transfer, truth, how);
    out.push_back(std::move(one));
  };
  add("tq_direct", target, Transfer::direct);
  add("tq_indirect", other, Transfer::indirect);
  add(kMismatched, other, Transfer::direct);
  add("tq_soft", other, Transfer::soft);
  add("cd", world.sft, Transfer::direct);
  if (world.prefix_reward) {  // it rolls nothing out
    const Values& q = *world.prefix_reward;
    Rolled one{
        measured(world, "args", by_value(tree, world.sft, q, world.alpha, tree.vocabulary())), {}};
    double sum = 0, open = 0;
    for (std::size_t z = 0; z < tree.vocabulary(); ++z) {
      const Node node = tree.child(0, z);
      if (tree.leaf(node)) continue;
      sum += std::pow(q[node] - truth[node], 2);
      ++open;
    }
    one.error = open > 0 ? std::sqrt(sum / open) : 0;
    out.push_back(std::move(one));
  }
  return out;
}

Cases over_horizon(const World& world, double value) {
  const std::size_t horizon = whole("horizon", value, 0);
  if (!world.prefix_reward) return {};
  const Tree& tree = world.tree;
  const Law target = aligned(tree, world.sft, world.reward, world.beta);
  const Law other = aligned(tree, world.sft, world.baseline_reward, world.beta);
  Cases out;
  const auto add = [&](const char* name, const Law& policy) {
    const Values q = values_to_horizon(tree, policy, *world.prefix_reward, horizon);
    out.push_back(measured(world, name, by_value(tree, policy, q, world.alpha, tree.vocabulary())));
  };
  add("tq_direct", target);
  add(kMismatched, other);
  add("cd", world.sft);
  return out;
}

Cases over_samples(const World& world, double value) {
  const std::size_t n = whole("samples", value, 1);
  return {measured(world, "best_of", best_of(world.tree, world.sft, world.reward, n))};
}

Cases over_frontier(const World& world, double strength) {
  if (!(strength >= 0) || std::isinf(strength)) {
    throw Error(ErrorKind::usage, fmt::format("frontier {} must be a number from 0", strength));
  }
  Values weights(world.reward);
  for (double& w : weights) w *= strength;
  return {measured(world, "optimum", tilted_jointly(world.tree, world.sft, weights))};
}

SweepRow row_of(const Case& c) {
  SweepRow row;
  row.method = c.name;
  row.expected_reward = c.expected_reward;
  row.kl_to_sft = c.kl_to_sft;
  row.suboptimality = c.suboptimality;
  if (c.theorem) {
    row.suboptimality_bound = c.theorem->suboptimality_bound();
    row.kl_bound = c.theorem->kl_bound();
  }
  return row;
}

std::string optional_text(const std::optional<double>& value) {
  return value ? fmt::format("{}", *value) : "";
}

// A field of CSV (RFC 4180).
std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == text.npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

}  // namespace

const std::vector<std::string>& sweep_names() {
  static const std::vector<std::string> names{"alpha",    "beta",    "quality", "map",
                                              "rollouts", "horizon", "samples", "frontier"};
  return names;
}

std::vector<double> sweep_values(const std::string& sweep, const World& world) {
  if (sweep == "alpha" || sweep == "beta") return {0.05, 0.1, 0.15, 0.25, 0.4, 0.6, 1, 2, 4};
  // At 1 the two rewards are one.
  if (sweep == "quality" || sweep == "map") return {-0.9, -0.6, -0.5, -0.3, 0, 0.3, 0.6, 0.9};
  if (sweep == "rollouts") return {1, 2, 4, 8, 16, 32, 64};
  if (sweep == "samples") return {1, 2, 4, 8, 16, 32, 64};
  std::vector<double> out;
  if (sweep == "horizon") {
    for (std::size_t h = 0; h < world.tree.max_tokens(); ++h) out.push_back(static_cast<double>(h));
  } else if (sweep == "frontier") {
    const double range = range_of(world.tree, world.reward).width();
    out = {0};
    for (double s = 0.25; s < 300 && range > 0; s *= 1.25) out.push_back(s / range);
  }
  return out;
}

std::vector<SweepRow> sweep(const std::string& name, const std::string& world_name,
                            const World& world, const std::vector<double>& values,
                            const SweepOptions& options) {
  using Solve = std::function<Cases(double)>;
  const std::map<std::string, Solve> solvers{
      {"alpha", [&](double v) { return over_alpha(world, v); }},
      {"beta", [&](double v) { return over_beta(world, v); }},
      {"quality", [&](double v) { return over_quality(world, v, options.seed); }},
      {"horizon", [&](double v) { return over_horizon(world, v); }},
      {"samples", [&](double v) { return over_samples(world, v); }},
      {"frontier", [&](double v) { return over_frontier(world, v); }},
  };
  if (name != "rollouts" && name != "map" && solvers.count(name) == 0) {
    const std::string near = nearest_name(name, sweep_names());
    throw Error(ErrorKind::usage,
                fmt::format("no sweep over '{}'{}; there are {}", name,
                            near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near),
                            fmt::join(sweep_names(), ", ")));
  }
  std::vector<SweepRow> out;
  const auto add = [&](SweepRow row, double value) {
    row.sweep = name;
    row.world = world_name;
    row.value = value;
    row.alpha = name == "alpha" ? value : row.alpha > 0 ? row.alpha : world.alpha;
    row.beta = name == "beta" ? value : world.beta;
    out.push_back(std::move(row));
  };
  for (const double value : values) {
    if (name == "rollouts") {
      for (const Rolled& one : over_rollouts(world, value, options)) {
        SweepRow row = row_of(one.measured);
        row.value_error = one.error;
        add(std::move(row), value);
      }
      continue;
    }
    if (name == "map") {
      World at = of_quality(world, value, options.seed);
      for (const double alpha : {0.1, 0.25, 0.5, 1.0}) {
        at.alpha = alpha;
        for (const Case& c : over_map(at)) {
          SweepRow row = row_of(c);
          row.alpha = alpha;
          add(std::move(row), value);
        }
      }
      continue;
    }
    for (const Case& c : solvers.at(name)(value)) add(row_of(c), value);
  }
  return out;
}

std::string sweep_csv(const std::vector<SweepRow>& rows) {
  std::string out =
      "sweep,value,alpha,beta,world,method,expected_reward,kl_to_sft,suboptimality,"
      "suboptimality_bound,kl_bound,value_error\n";
  for (const SweepRow& r : rows) {
    out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}\n", r.sweep, r.value, r.alpha, r.beta,
                       quoted(r.world), r.method, r.expected_reward, r.kl_to_sft, r.suboptimality,
                       optional_text(r.suboptimality_bound), optional_text(r.kl_bound),
                       optional_text(r.value_error));
  }
  return out;
}

nlohmann::json sweep_json(const std::vector<SweepRow>& rows) {
  nlohmann::json out = nlohmann::json::array();
  for (const SweepRow& r : rows) {
    nlohmann::json row{{"sweep", r.sweep},
                       {"value", r.value},
                       {"alpha", r.alpha},
                       {"beta", r.beta},
                       {"world", r.world},
                       {"method", r.method},
                       {"expected_reward", r.expected_reward},
                       {"kl_to_sft", r.kl_to_sft},
                       {"suboptimality", r.suboptimality}};
    if (r.suboptimality_bound) row["suboptimality_bound"] = *r.suboptimality_bound;
    if (r.kl_bound) row["kl_bound"] = *r.kl_bound;
    if (r.value_error) row["value_error"] = *r.value_error;
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace tq::lab
