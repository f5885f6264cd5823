// Values from N roll-outs: where N is small enough all draws can be counted, and where it is large
// they are the exact ones.
#include "transferq/lab/rollouts.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "transferq/core/error.hpp"
#include "transferq/lab/methods.hpp"
#include "transferq/lab/random_world.hpp"
#include "transferq/lab/solve.hpp"

namespace tq::lab {
namespace {

RandomWorldOptions small(std::uint64_t seed) {
  RandomWorldOptions o;
  o.seed = seed;
  o.vocabulary = 2;
  o.max_tokens = 2;
  return o;
}

// One roll-out a candidate, two candidates of two leaves each: four outcomes at the root.
TEST(Rollouts, OneEachByCounting) {
  const World world = random_world(small(3));
  const Tree& tree = world.tree;
  for (const Transfer transfer : {Transfer::direct, Transfer::soft}) {
    double expected = 0;
    for (std::size_t a = 0; a < 2; ++a) {
      for (std::size_t b = 0; b < 2; ++b) {
        const Node left = tree.child(tree.child(0, 0), a), right = tree.child(tree.child(0, 1), b);
        const auto score = [&](Node leaf) {
          const double r = world.reward[leaf], bl = world.baseline_reward[leaf];
          return transfer == Transfer::direct ? r / world.alpha : (r - bl) / world.beta;
        };
        const double l = std::exp(world.sft[tree.child(0, 0)] + score(left));
        const double r = std::exp(world.sft[tree.child(0, 1)] + score(right));
        expected += std::exp(world.sft[left] + world.sft[right]) * l / (l + r);
      }
    }
    const RolledLaw got = law_of_rollouts(world, world.sft, world.sft, transfer, {1, 20000, 5});
    EXPECT_NEAR(std::exp(got.law[tree.child(0, 0)]), expected, 4 * 0.5 / std::sqrt(20000.0));
    // The last token's values are known.
    EXPECT_GT(got.kl, kl_divergence(tree, got.law, world.sft) - 1e-12);
  }
}

TEST(Rollouts, ManyAreTheExactLaw) {
  RandomWorldOptions o;
  o.vocabulary = 3;
  o.max_tokens = 3;
  o.end = 2;
  const World world = random_world(o);
  const Solution s = solve(world);
  const auto check = [&](const std::string& name, const std::string& on, Transfer transfer) {
    const Law& law = s.at(on).law;
    const RolledLaw got = law_of_rollouts(world, law, law, transfer, {4000, 4, 1});
    for (Node node = 0; node < world.tree.size(); ++node) {
      EXPECT_NEAR(std::exp(got.law[node]), std::exp(s.at(name).law[node]), 0.04) << name;
    }
    EXPECT_NEAR(got.kl, s.at(name).kl_to_sft, 0.05) << name;
  };
  check("tq_direct", "aligned_to_target", Transfer::direct);
  check("tq_indirect", "aligned_to_baseline_reward", Transfer::indirect);
  check("tq_direct_with_mismatched_baseline", "aligned_to_baseline_reward", Transfer::direct);
  check("tq_soft", "aligned_to_baseline_reward", Transfer::soft);
  check("cd", "sft", Transfer::direct);
}

TEST(Rollouts, ErrorsOfValues) {
  const World world = random_world(small(11));
  const Tree& tree = world.tree;
  const Law target = aligned(tree, world.sft, world.reward, world.beta);
  const Values truth = expected(tree, target, world.reward);
  const auto error = [&](const Law& law, Transfer t, std::size_t n, std::size_t repeats = 1) {
    return value_error(world, law, t, truth, {n, repeats, 1});
  };
  // Without bias it falls as 1/sqrt(N).
  EXPECT_NEAR(error(target, Transfer::direct, 1), 4 * error(target, Transfer::direct, 16), 1e-12);
  // By hand: both first tokens are unfinished, each with two leaves.
  double sum = 0;
  for (std::size_t z = 0; z < 2; ++z) {
    const Node node = tree.child(0, z), a = tree.child(node, 0), b = tree.child(node, 1);
    const double p = std::exp(world.sft[a]), ra = world.reward[a], rb = world.reward[b];
    const double bias = p * ra + (1 - p) * rb - truth[node];
    sum += bias * bias + p * (1 - p) * (ra - rb) * (ra - rb) / 5;
  }
  EXPECT_NEAR(error(world.sft, Transfer::direct, 5), std::sqrt(sum / 2), 1e-12);
  // Of the target's own policy, indirect with equal rewards is direct.
  World same = world;
  same.baseline_reward = world.reward;
  EXPECT_NEAR(value_error(same, target, Transfer::indirect, truth, {4, 20000, 1}),
              error(target, Transfer::direct, 4), 0.02 * error(target, Transfer::direct, 4));
  // Weighted roll-outs of another policy lose their bias with N.
  const Law other = aligned(tree, world.sft, world.baseline_reward, world.beta);
  EXPECT_LT(error(other, Transfer::indirect, 1000, 200),
            0.2 * error(other, Transfer::indirect, 10, 2000));
  EXPECT_THROW(error(other, Transfer::soft, 1), Error);
  EXPECT_THROW(error(other, Transfer::direct, 0), Error);
}

}  // namespace
}  // namespace tq::lab
