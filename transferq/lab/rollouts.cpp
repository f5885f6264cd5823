#include "transferq/lab/rollouts.hpp"

#include <algorithm>
#include <cmath>

#include "transferq/core/error.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/core/random.hpp"

namespace tq::lab {
namespace {

// Draws leaves: roll-outs of a law.
class Roller {
 public:
  Roller(const Tree& tree, const Law& law) : tree_(tree), probability_(law) {
    for (double& p : probability_) p = std::exp(p);
  }

  // The leaf that u in [0, 1) draws behind a prefix: the same u is stretched at each token.
  Node draw(Node node, double u) const {
    while (!tree_.leaf(node)) {
      Node next = node, last = node;
      double below = 0;
      for (std::size_t z = 0; z < tree_.vocabulary(); ++z) {
        const Node child = tree_.child(node, z);
        const double p = probability_[child];
        if (p <= 0) continue;
        last = child;
        if (u < below + p) {
          u = (u - below) / p;
          next = child;
          break;
        }
        below += p;
      }
      if (next == node) {  // u was rounded up to the total
        next = last;
        u = 0;
      }
      node = next;
    }
    return node;
  }

 private:
  const Tree& tree_;
  Values probability_;
};

double uniform_of(std::uint64_t seed, Node node, std::size_t repeat, std::size_t rollout) {
  RandomKey key;
  key.seed = seed;
  key.prompt = 0x6C6162;  // apart from what worlds are drawn with
  key.candidate = static_cast<std::uint32_t>(node);
  key.step = static_cast<std::uint32_t>(repeat);
  key.sample = static_cast<std::uint32_t>(rollout);
  return uniform(key);
}

// One estimate: a value, or for soft transfer the log of the mean weight.
double estimate(const World& world, const Roller& roller, Transfer transfer, Node node,
                const Estimation& how, std::size_t repeat) {
  std::vector<double> rewards, weights;
  for (std::size_t n = 0; n < how.rollouts; ++n) {
    const Node leaf = roller.draw(node, uniform_of(how.seed, node, repeat, n));
    rewards.push_back(world.reward[leaf]);
    if (transfer != Transfer::direct) {
      weights.push_back((world.reward[leaf] - world.baseline_reward[leaf]) / world.beta);
    }
  }
  const auto count = static_cast<double>(how.rollouts);
  if (transfer == Transfer::soft) return log_sum_exp(weights) - std::log(count);
  if (transfer == Transfer::indirect) weights = softmax(weights);
  double sum = 0;
  for (std::size_t n = 0; n < rewards.size(); ++n) {
    sum += rewards[n] * (transfer == Transfer::direct ? 1 / count : weights[n]);
  }
  return sum;
}

void check(const Estimation& how) {
  if (how.rollouts == 0 || how.repeats == 0) {
    throw Error(ErrorKind::usage, "0 roll-outs leave nothing to estimate a value from");
  }
}

}  // namespace

RolledLaw law_of_rollouts(const World& world, const Law& proposal, const Law& roller_law,
                          Transfer transfer, const Estimation& how) {
  check(how);
  const Tree& tree = world.tree;
  const Roller roller(tree, roller_law);
  const double temperature = transfer == Transfer::soft ? 1 : world.alpha;
  Values mean(tree.size(), 0), kl(tree.size(), 0);
  const double share = 1 / static_cast<double>(how.repeats);
  for (std::size_t repeat = 0; repeat < how.repeats; ++repeat) {
    Values estimates(tree.size(), 0);
    for (Node node = 1; node < tree.size(); ++node) {
      if (std::isfinite(proposal[node])) {
        estimates[node] = estimate(world, roller, transfer, node, how, repeat);
      }
    }
    const Law drawn = tilted(tree, proposal, estimates, temperature);
    for (Node node = 1; node < tree.size(); ++node) {
      const double p = std::exp(drawn[node]);
      mean[node] += share * p;
      if (p > 0) kl[tree.parent(node)] += share * p * (drawn[node] - world.sft[node]);
    }
  }
  RolledLaw out{Law(tree.size(), 0)};
  for (Node node = 1; node < tree.size(); ++node) out.law[node] = std::log(mean[node]);
  const Values reach = log_reach(tree, out.law);
  for (Node node = 0; node < tree.size(); ++node) out.kl += std::exp(reach[node]) * kl[node];
  return out;
}

double value_error(const World& world, const Law& law, Transfer transfer, const Values& truth,
                   const Estimation& how) {
  check(how);
  if (transfer == Transfer::soft) {
    throw Error(ErrorKind::usage, "soft transfer estimates no values");
  }
  const Tree& tree = world.tree;
  const auto count = static_cast<double>(how.rollouts);
  Values squares(world.reward);
  for (double& r : squares) r *= r;
  const Values first = expected(tree, law, world.reward), second = expected(tree, law, squares);
  const Roller roller(tree, law);
  double sum = 0;
  std::size_t open = 0;
  for (std::size_t z = 0; z < tree.vocabulary(); ++z) {
    const Node node = tree.child(0, z);
    if (tree.leaf(node)) continue;
    ++open;
    if (transfer == Transfer::direct) {
      const double variance = std::max(0.0, second[node] - first[node] * first[node]);
      sum += std::pow(first[node] - truth[node], 2) + variance / count;
      continue;
    }
    for (std::size_t repeat = 0; repeat < how.repeats; ++repeat) {
      const double e = estimate(world, roller, transfer, node, how, repeat) - truth[node];
      sum += e * e / static_cast<double>(how.repeats);
    }
  }
  return open == 0 ? 0 : std::sqrt(sum / static_cast<double>(open));
}

}  // namespace tq::lab
