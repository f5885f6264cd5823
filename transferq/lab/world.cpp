#include "transferq/lab/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "transferq/core/error.hpp"
#include "transferq/core/logspace.hpp"

namespace tq::lab {
namespace {

using tabular::format_prefix;

[[noreturn]] void fail(const std::string& what, const std::string& problem) {
  throw Error(ErrorKind::input, fmt::format("{}: {}", what, problem));
}

// Whether two numbers are one, but for the digits that a file may leave out.
bool agree(double a, double b) { return std::abs(a - b) <= 1e-9 * std::max(1.0, std::abs(b)); }

// The rows of the reference on the tree. States that it never reaches may lack one; theirs is then
// uniform, as in the tabular engine.
Law read_law(const Tree& tree, const tabular::Table& table, const std::string& what) {
  for (const auto& [prefix, row] : table) {
    const std::optional<Node> node = tree.find(prefix);
    if (node && !tree.leaf(*node)) continue;
    fail(what, fmt::format("'sft' has a row after '{}', where a response has ended; see "
                           "'max_tokens' and 'eos'",
                           format_prefix(prefix)));
  }
  Law law(tree.size(), -std::log(static_cast<double>(tree.vocabulary())));
  law[0] = 0;
  std::vector<bool> reached(tree.size(), false);
  reached[0] = true;
  for (Node node = 0; node < tree.size(); ++node) {
    if (tree.leaf(node)) continue;
    const tabular::Prefix prefix = tree.prefix(node);
    const auto row = table.find(prefix);
    if (row == table.end()) {
      if (!reached[node]) continue;
      fail(what, fmt::format("'sft' has no row after '{}'", format_prefix(prefix)));
    }
    std::vector<double> logs;
    for (const double p : row->second) logs.push_back(std::log(p));
    logs = log_softmax(logs);
    for (std::size_t z = 0; z < logs.size(); ++z) {
      law[tree.child(node, z)] = logs[z];
      reached[tree.child(node, z)] = reached[node] && std::isfinite(logs[z]);
    }
  }
  return law;
}

// Rewards on the tree. What the reference reaches must have one, among leaves or everywhere.
Values read_rewards(const Tree& tree, const Values& reach, const std::string& key, bool partial,
                    const std::map<tabular::Prefix, double>& table, const std::string& what) {
  Values out(tree.size(), 0);
  std::vector<bool> known(tree.size(), false);
  for (const auto& [prefix, value] : table) {
    const std::optional<Node> node = tree.find(prefix);
    if (!node || (!partial && !tree.leaf(*node))) {
      fail(what, fmt::format("'{}' has '{}', which is no {} of this world; see 'max_tokens' and "
                             "'eos'",
                             key, format_prefix(prefix),
                             partial ? "response or prefix" : "finished response"));
    }
    out[*node] = value;
    known[*node] = true;
  }
  for (Node node = 0; node < tree.size(); ++node) {
    if (known[node] || !std::isfinite(reach[node]) || (!partial && !tree.leaf(node))) continue;
    // Of a finished response it is the reward itself; that of the empty one is never read.
    if (partial && (tree.leaf(node) || node == 0)) continue;
    fail(what, fmt::format("'{}' has no value for '{}'", key, format_prefix(tree.prefix(node))));
  }
  return out;
}

}  // namespace

Range range_of(const Tree& tree, const Values& reward) {
  Range out{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (Node node = 0; node < tree.size(); ++node) {
    if (!tree.leaf(node)) continue;
    out.least = std::min(out.least, reward[node]);
    out.most = std::max(out.most, reward[node]);
  }
  return out;
}

Node best_response(const World& world) {
  const Values reach = log_reach(world.tree, world.sft);
  Node best = 0;
  for (Node node = 0; node < world.tree.size(); ++node) {
    if (!world.tree.leaf(node) || !std::isfinite(reach[node])) continue;
    if (best == 0 || world.reward[node] > world.reward[best]) best = node;
  }
  return best;
}

World make_world(const tabular::TabularWorld& source, const std::string& what) {
  World world{Tree(source.vocabulary, source.max_tokens, source.end),
              source.alpha,
              source.beta,
              source.top_k,
              {},
              {},
              {},
              {}};
  const Tree& tree = world.tree;
  world.sft = read_law(tree, source.sft, what);
  const Values reach = log_reach(tree, world.sft);
  world.reward = read_rewards(tree, reach, "reward", false, source.reward, what);
  world.baseline_reward =
      read_rewards(tree, reach, "baseline_reward", false, source.baseline_reward, what);
  if (!source.prefix_reward.empty()) {
    Values partial = read_rewards(tree, reach, "prefix_reward", true, source.prefix_reward, what);
    for (Node node = 0; node < tree.size(); ++node) {
      if (!tree.leaf(node)) continue;
      const auto said = source.prefix_reward.find(tree.prefix(node));
      if (said != source.prefix_reward.end() && !agree(said->second, world.reward[node])) {
        fail(what, fmt::format("'prefix_reward' of the finished response '{}' is {} and its "
                               "'reward' {}; leave finished ones out of 'prefix_reward'",
                               format_prefix(tree.prefix(node)), said->second, world.reward[node]));
      }
      partial[node] = world.reward[node];
    }
    world.prefix_reward = std::move(partial);
  }
  const double best = world.reward[best_response(world)];
  const double most = range_of(tree, world.reward).most;
  if (source.max_reward && !agree(*source.max_reward, best) && !agree(*source.max_reward, most)) {
    fail(what, fmt::format("'max_reward' is {} but the best response has {}; leave it out",
                           *source.max_reward, best));
  }
  return world;
}

World read_world(const std::filesystem::path& path) {
  return make_world(tabular::load_world(path), path.string());
}

nlohmann::json world_json(const World& world) {
  const Tree& tree = world.tree;
  nlohmann::json out;
  out["vocab"] = tree.vocabulary();
  out["max_tokens"] = tree.max_tokens();
  out["eos"] = nullptr;
  if (tree.end()) out["eos"] = *tree.end();
  out["alpha"] = world.alpha;
  out["beta"] = world.beta;
  out["top_k"] = world.top_k;
  const auto object = [] { return nlohmann::json::object(); };
  out["sft"] = object();
  for (const char* key : {"reward", "baseline_reward"}) out[key] = object();
  if (world.prefix_reward) out["prefix_reward"] = object();
  for (Node node = 0; node < tree.size(); ++node) {
    const std::string key = format_prefix(tree.prefix(node));
    if (world.prefix_reward) out["prefix_reward"][key] = (*world.prefix_reward)[node];
    if (tree.leaf(node)) {
      out["reward"][key] = world.reward[node];
      out["baseline_reward"][key] = world.baseline_reward[node];
      continue;
    }
    std::vector<double> row;
    for (const double log : tree.children(world.sft, node)) row.push_back(std::exp(log));
    out["sft"][key] = row;
  }
  out["max_reward"] = world.reward[best_response(world)];
  return out;
}

}  // namespace tq::lab
