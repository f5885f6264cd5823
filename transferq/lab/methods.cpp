#include "transferq/lab/methods.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "transferq/core/logspace.hpp"
#include "transferq/lab/world.hpp"

namespace tq::lab {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

// log w at the leaves.
Values log_ratios(const Tree& tree, const Values& reward, const Values& baseline_reward,
                  double beta) {
  Values out(tree.size(), 0);
  for (Node node = 0; node < tree.size(); ++node) {
    if (tree.leaf(node)) out[node] = (reward[node] - baseline_reward[node]) / beta;
  }
  return out;
}

}  // namespace

Law aligned(const Tree& tree, const Law& sft, const Values& reward, double beta) {
  const double most = range_of(tree, reward).most;
  // A constant changes nothing, and this one keeps the digits of rewards that lie close together.
  return tilted_jointly(tree, sft, log_ratios(tree, reward, Values(tree.size(), most), beta));
}

Law by_value(const Tree& tree, const Law& proposal, const Values& q, double alpha, std::size_t k) {
  if (k >= tree.vocabulary()) return tilted(tree, proposal, q, alpha);
  return tilted(tree, top_candidates(tree, proposal, k), q, alpha);
}

Values indirect_values(const Tree& tree, const Law& baseline, const Values& reward,
                       const Values& baseline_reward, double beta) {
  const Values log_w =
      log_expected(tree, baseline, log_ratios(tree, reward, baseline_reward, beta));
  // Q(s) = sum_z baseline(z|s) W(sz) Q(sz) / sum_z baseline(z|s) W(sz), with W(s) = E[w | s].
  Values out(reward), shares(tree.vocabulary());
  for (Node node = tree.size(); node-- > 0;) {
    if (tree.leaf(node)) continue;
    for (std::size_t z = 0; z < tree.vocabulary(); ++z) {
      shares[z] = baseline[tree.child(node, z)] + log_w[tree.child(node, z)];
    }
    normalise(shares);
    double sum = 0;
    for (std::size_t z = 0; z < tree.vocabulary(); ++z) {
      sum += std::exp(shares[z]) * out[tree.child(node, z)];
    }
    out[node] = sum;
  }
  return out;
}

Law soft_transfer(const Tree& tree, const Law& baseline, const Values& reward,
                  const Values& baseline_reward, double beta) {
  return tilted_jointly(tree, baseline, log_ratios(tree, reward, baseline_reward, beta));
}

Values values_to_horizon(const Tree& tree, const Law& law, const Values& prefix_reward,
                         std::size_t horizon) {
  // After h passes, `out` looks h tokens ahead.
  Values out(prefix_reward);
  for (std::size_t h = 0; h < std::min(horizon, tree.max_tokens()); ++h) {
    for (Node node = 0; node < tree.size(); ++node) {  // parents first: children are still of h - 1
      if (tree.leaf(node)) continue;
      double sum = 0;
      for (std::size_t z = 0; z < tree.vocabulary(); ++z) {
        const Node child = tree.child(node, z);
        sum += std::exp(law[child]) * out[child];
      }
      out[node] = sum;
    }
  }
  return out;
}

Law best_of(const Tree& tree, const Law& law, const Values& reward, std::size_t n) {
  const Values reach = log_reach(tree, law);
  std::vector<Node> order;
  for (Node node = 0; node < tree.size(); ++node) {
    if (tree.leaf(node) && reach[node] > kNever) order.push_back(node);
  }
  std::sort(order.begin(), order.end(), [&](Node a, Node b) { return reward[a] < reward[b]; });
  const double count = static_cast<double>(n);
  Values mass(tree.size(), kNever);
  double below = kNever;  // log F_below
  for (std::size_t i = 0; i < order.size();) {
    std::size_t next = i;
    Values same;
    for (; next < order.size() && reward[order[next]] == reward[order[i]]; ++next) {
      same.push_back(reach[order[next]]);
    }
    const double all = log_sum_exp(same);  // log rho(c)
    // F^N - F_below^N = F^N (1 - (F_below/F)^N), where log F/F_below = log(1 + rho(c)/F_below).
    double won = count * all;
    double reached = all;
    if (below > kNever) {
      const double step = all - below > 700 ? all - below : std::log1p(std::exp(all - below));
      reached = below + step;
      won = count * reached + std::log(-std::expm1(-count * step));
    }
    for (; i < next; ++i) mass[order[i]] = reach[order[i]] - all + won;
    below = reached;
  }
  // A law by state from the mass of each prefix.
  Law out(tree.size(), 0);
  for (Node node = tree.size(); node-- > 0;) {
    if (tree.leaf(node)) continue;
    mass[node] = log_sum_exp(tree.children(mass, node));
    for (std::size_t z = 0; z < tree.vocabulary(); ++z) {
      const Node child = tree.child(node, z);
      // A state that is never reached keeps the tokens of the law it was drawn from.
      out[child] = mass[node] > kNever ? mass[child] - mass[node] : law[child];
    }
  }
  return out;
}

}  // namespace tq::lab
