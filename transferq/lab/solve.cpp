#include "transferq/lab/solve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "transferq/core/error.hpp"
#include "transferq/lab/methods.hpp"

namespace tq::lab {

const Case& Solution::at(const std::string& name) const {
  const auto it =
      std::find_if(cases.begin(), cases.end(), [&](const Case& c) { return c.name == name; });
  if (it == cases.end()) {
    throw Error(ErrorKind::usage, fmt::format("no case '{}' was solved", name));
  }
  return *it;
}

Case measured(const World& world, std::string name, Law law, std::optional<Values> q) {
  Case out;
  out.name = std::move(name);
  out.expected_reward = expected(world.tree, law, world.reward)[0];
  out.kl_to_sft = kl_divergence(world.tree, law, world.sft);
  out.suboptimality = world.reward[best_response(world)] - out.expected_reward;
  out.law = std::move(law);
  out.q = std::move(q);
  return out;
}

Solution solve(const World& world, const SolveOptions& options) {
  const Tree& tree = world.tree;
  const double alpha = world.alpha, beta = world.beta;
  const std::size_t all = tree.vocabulary();
  for (Node node = 0; node < tree.size(); ++node) {
    const double most = std::abs(world.reward[node]) + std::abs(world.baseline_reward[node]);
    if (std::isfinite(most / beta)) continue;
    throw Error(ErrorKind::usage,
                fmt::format("beta {} is too small for rewards of {}: their ratio is not finite",
                            beta, most));
  }
  const Law target = aligned(tree, world.sft, world.reward, beta);
  const Law other = aligned(tree, world.sft, world.baseline_reward, beta);

  Solution out;
  const auto add = [&](std::string name, Law law, std::optional<Values> q = {}) {
    out.cases.push_back(measured(world, std::move(name), std::move(law), std::move(q)));
  };
  const auto add_valued = [&](std::string name, const Law& proposal, const Values& q,
                              std::size_t k) {
    add(std::move(name), by_value(tree, proposal, q, alpha, k), q);
  };

  add("sft", world.sft);
  add("aligned_to_target", target);
  add("aligned_to_baseline_reward", other);

  const Values direct = expected(tree, target, world.reward);
  add_valued("tq_direct", target, direct, all);
  out.cases.back().theorem = theorem1(world, target, out.cases.back().law);
  add_valued(fmt::format("tq_direct_top{}", world.top_k), target, direct, world.top_k);
  add_valued("tq_direct_sft_proposal", world.sft, direct, all);
  add_valued(fmt::format("tq_direct_greedy_rollout_top{}", world.top_k), target,
             expected(tree, greedy(tree, target), world.reward), world.top_k);

  add_valued("tq_indirect", other,
             indirect_values(tree, other, world.reward, world.baseline_reward, beta), all);
  add_valued("tq_direct_with_mismatched_baseline", other, expected(tree, other, world.reward), all);
  add("tq_soft", soft_transfer(tree, other, world.reward, world.baseline_reward, beta));

  add_valued("cd", world.sft, expected(tree, world.sft, world.reward), all);
  if (world.prefix_reward) add_valued("args", world.sft, *world.prefix_reward, all);
  for (const std::size_t n : options.samples) {
    add(fmt::format("best_of_{}", n), best_of(tree, world.sft, world.reward, n));
    out.cases.back().joint = true;
  }
  return out;
}

nlohmann::json cases_json(const World& world, const Solution& solution, bool terms) {
  const Tree& tree = world.tree;
  std::vector<std::string> keys;
  for (Node node = 0; node < tree.size(); ++node) {
    keys.push_back(tabular::format_prefix(tree.prefix(node)));
  }
  nlohmann::json out = nlohmann::json::object();
  for (const Case& c : solution.cases) {
    nlohmann::json& one = out[c.name];
    one["expected_reward"] = c.expected_reward;
    one["kl_to_sft"] = c.kl_to_sft;
    one["suboptimality"] = c.suboptimality;
    for (Node node = 0; node < tree.size() && !c.joint; ++node) {
      if (c.q && node > 0) one["q"][keys[node]] = (*c.q)[node];
      if (tree.leaf(node)) continue;
      std::vector<double> row;
      for (const double log : tree.children(c.law, node)) row.push_back(std::exp(log));
      one["policy"][keys[node]] = std::move(row);
    }
    if (!c.theorem) continue;
    one["suboptimality_bound"] = c.theorem->suboptimality_bound();
    one["kl_bound"] = c.theorem->kl_bound();
    if (!terms) continue;
    one["suboptimality_bound_terms"] = {
        {"best_response", c.theorem->best_response},
        {"regularisation", -c.theorem->regularisation},
        {"decoding", -c.theorem->decoding},
    };
    one["kl_bound_terms"] = {{"alignment", c.theorem->kl_alignment},
                             {"decoding", c.theorem->kl_decoding}};
  }
  return out;
}

}  // namespace tq::lab
