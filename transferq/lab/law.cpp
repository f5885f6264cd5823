#include "transferq/lab/law.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "transferq/core/logspace.hpp"

namespace tq::lab {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

}  // namespace

void normalise(std::vector<double>& log_weights) {
  // In two steps: a sum beside a huge top would lose its digits.
  const double top = *std::max_element(log_weights.begin(), log_weights.end());
  if (top == kNever) return;
  for (double& w : log_weights) w -= top;
  const double norm = log_sum_exp(log_weights);
  for (double& w : log_weights) w -= norm;
}

Values log_reach(const Tree& tree, const Law& law) {
  Values out(tree.size(), 0);
  for (Node node = 1; node < tree.size(); ++node) out[node] = out[tree.parent(node)] + law[node];
  return out;
}

Values expected(const Tree& tree, const Law& law, const Values& at_leaves) {
  Values out(at_leaves);
  for (Node node = tree.size(); node-- > 0;) {
    if (tree.leaf(node)) continue;
    double sum = 0;
    for (std::size_t z = 0; z < tree.vocabulary(); ++z) {
      const Node child = tree.child(node, z);
      sum += std::exp(law[child]) * out[child];
    }
    out[node] = sum;
  }
  return out;
}

Values log_expected(const Tree& tree, const Law& law, const Values& at_leaves) {
  Values out(at_leaves);
  Values terms(tree.vocabulary());
  for (Node node = tree.size(); node-- > 0;) {
    if (tree.leaf(node)) continue;
    for (std::size_t z = 0; z < tree.vocabulary(); ++z) {
      const Node child = tree.child(node, z);
      terms[z] = law[child] + out[child];
    }
    out[node] = log_sum_exp(terms);
  }
  return out;
}

Law tilted(const Tree& tree, const Law& proposal, const Values& weights, double temperature) {
  Law out(tree.size(), 0);
  Values scores(tree.vocabulary());
  for (Node node = 0; node < tree.size(); ++node) {
    if (tree.leaf(node)) continue;
    // Subtracting the best candidate's weight first keeps the digits of the proposal where weights
    // are huge, and no temperature is too small.
    double best = kNever;
    for (std::size_t z = 0; z < tree.vocabulary(); ++z) {
      const Node child = tree.child(node, z);
      if (proposal[child] > kNever) best = std::max(best, weights[child]);
    }
    for (std::size_t z = 0; z < tree.vocabulary(); ++z) {
      const Node child = tree.child(node, z);
      const bool candidate = proposal[child] > kNever;
      scores[z] = candidate ? proposal[child] + (weights[child] - best) / temperature : kNever;
    }
    normalise(scores);
    for (std::size_t z = 0; z < tree.vocabulary(); ++z) out[tree.child(node, z)] = scores[z];
  }
  return out;
}

Law tilted_jointly(const Tree& tree, const Law& law, const Values& log_weights) {
  return tilted(tree, law, log_expected(tree, law, log_weights));
}

Law top_candidates(const Tree& tree, const Law& law, std::size_t k) {
  Law out(tree.size(), kNever);
  out[0] = 0;
  for (Node node = 0; node < tree.size(); ++node) {
    if (tree.leaf(node)) continue;
    for (const std::size_t z : top_k(tree.children(law, node), k)) {
      out[tree.child(node, z)] = law[tree.child(node, z)];
    }
  }
  return out;
}

Law greedy(const Tree& tree, const Law& law) {
  Law out(tree.size(), kNever);
  out[0] = 0;
  for (Node node = 0; node < tree.size(); ++node) {
    if (!tree.leaf(node)) out[tree.child(node, argmax(tree.children(law, node)))] = 0;
  }
  return out;
}

double kl_divergence(const Tree& tree, const Law& p, const Law& q) {
  const Values reach = log_reach(tree, p);
  double kl = 0;
  for (Node node = 1; node < tree.size(); ++node) {
    const double probability = std::exp(reach[node]);
    if (probability > 0) kl += probability * (p[node] - q[node]);
  }
  return kl;
}

}  // namespace tq::lab
