// What must hold in every world, on 10,000 of them (fewer under sanitizers): up to 5 tokens,
// responses of up to 5, any temperatures, baselines from opposed to identical.
#include <gtest/gtest.h>

#include <cmath>

#include "transferq/core/random.hpp"
#include "transferq/lab/methods.hpp"
#include "transferq/lab/random_world.hpp"
#include "transferq/lab/solve.hpp"

namespace tq::lab {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kWorldsEach = 10;
#else
constexpr std::uint64_t kWorldsEach = 1000;
#endif

double draw(std::uint64_t seed, std::uint32_t what) {
  RandomKey key;
  key.seed = seed;
  key.step = what + 1;
  return uniform(key);
}

RandomWorldOptions options_of(std::uint64_t seed) {
  RandomWorldOptions o;
  o.seed = seed;
  o.vocabulary = 2 + static_cast<std::size_t>(4 * draw(seed, 0));
  o.max_tokens = 1 + static_cast<std::size_t>(5 * draw(seed, 1));
  if (draw(seed, 2) < 0.5) {
    o.end = static_cast<Token>(draw(seed, 3) * static_cast<double>(o.vocabulary));
  }
  o.alpha = std::pow(10, -1.5 + 2 * draw(seed, 4));
  o.beta = std::pow(10, -1.5 + 2 * draw(seed, 5));
  o.top_k = 1 + static_cast<std::size_t>(draw(seed, 6) * static_cast<double>(o.vocabulary));
  o.quality = 2 * draw(seed, 7) - 1;
  o.sharpness = 3 * draw(seed, 8);
  return o;
}

// Ten tests of a thousand worlds each.
class Properties : public testing::TestWithParam<int> {
 protected:
  template <typename Check>
  void each_world(const Check& check) const {
    for (std::uint64_t i = 0; i < kWorldsEach && !HasFailure(); ++i) {
      const std::uint64_t seed = static_cast<std::uint64_t>(GetParam()) * kWorldsEach + i;
      SCOPED_TRACE(seed);
      check(random_world(options_of(seed)));
    }
  }
};

void expect_same(const Values& a, const Values& b, double error) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], error) << i;
}

// The probabilities of two laws.
void expect_same_law(const Law& a, const Law& b, double error) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_NEAR(std::exp(a[i]), std::exp(b[i]), error) << i;
  }
}

void expect_distributions(const World& world, const Law& law, const std::string& name) {
  for (Node node = 0; node < world.tree.size(); ++node) {
    if (world.tree.leaf(node)) continue;
    double sum = 0;
    for (const double log : world.tree.children(law, node)) sum += std::exp(log);
    ASSERT_NEAR(sum, 1, 1e-12) << name << " after " << node;
  }
}

TEST_P(Properties, BoundsHold) {
  each_world([](const World& world) {
    const Case direct = solve(world, {{}}).at("tq_direct");
    ASSERT_LE(direct.suboptimality, direct.theorem->suboptimality_bound() + 1e-9);
    ASSERT_LE(direct.kl_to_sft, direct.theorem->kl_bound() + 1e-9);
    ASSERT_GE(direct.suboptimality, -1e-12);
  });
}

// With exact values and all tokens as candidates: E[r] >= that of the policy whose roll-outs gave
// the values, by at least alpha times the KL to it.
TEST_P(Properties, PoliciesImprove) {
  each_world([](const World& world) {
    const Solution s = solve(world, {{}});
    const auto improves = [&](const std::string& name, const std::string& on) {
      const double gain = world.alpha * kl_divergence(world.tree, s.at(name).law, s.at(on).law);
      ASSERT_GE(gain, -1e-9);
      ASSERT_GE(s.at(name).expected_reward, s.at(on).expected_reward + gain - 1e-9) << name;
    };
    improves("tq_direct", "aligned_to_target");
    improves("tq_direct_with_mismatched_baseline", "aligned_to_baseline_reward");
    improves("cd", "sft");
  });
}

// Importance weights give the values of the policy they can't roll out, and its law, whatever the
// baseline; with the same reward they do nothing.
TEST_P(Properties, TransferIsExact) {
  each_world([](const World& world) {
    const Solution s = solve(world, {{}});
    expect_same(*s.at("tq_indirect").q, *s.at("tq_direct").q, 1e-9);
    expect_same_law(s.at("tq_soft").law, s.at("aligned_to_target").law, 1e-9);
    World same = world;
    same.baseline_reward = world.reward;
    const Solution equal = solve(same, {{}});
    expect_same(*equal.at("tq_indirect").q, *equal.at("tq_direct").q, 1e-12);
    expect_same_law(equal.at("tq_indirect").law, equal.at("tq_direct").law, 1e-12);
    expect_same_law(equal.at("tq_soft").law, equal.at("aligned_to_baseline_reward").law, 1e-12);
  });
}

TEST_P(Properties, ProbabilitiesSumToOne) {
  each_world([](const World& world) {
    for (const Case& c : solve(world).cases) expect_distributions(world, c.law, c.name);
  });
}

// No law has more reward at its KL than the frontier, whose points maximise E[r] - beta KL.
TEST_P(Properties, NothingBeatsTheFrontier) {
  each_world([](const World& world) {
    const Solution s = solve(world);
    for (const double beta : {0.05, 0.3, 2.0}) {
      Values weights(world.reward);
      for (double& w : weights) w /= beta;
      const double best = beta * log_expected(world.tree, world.sft, weights)[0];
      for (const Case& c : s.cases) {
        ASSERT_LE(c.expected_reward - beta * c.kl_to_sft, best + 1e-9) << c.name;
      }
    }
    for (const double n : {2.0, 4.0, 16.0}) {
      const Case& c = s.at("best_of_" + std::to_string(static_cast<int>(n)));
      ASSERT_LE(c.kl_to_sft, std::log(n) - (n - 1) / n + 1e-9);
    }
    ASSERT_LE(s.at("best_of_2").expected_reward, s.at("best_of_16").expected_reward + 1e-12);
  });
}

struct Valued {
  const char* name;
  const char* proposal;
};
constexpr Valued kValued[] = {
    {"tq_direct", "aligned_to_target"},
    {"tq_direct_sft_proposal", "sft"},
    {"tq_indirect", "aligned_to_baseline_reward"},
    {"tq_direct_with_mismatched_baseline", "aligned_to_baseline_reward"},
    {"cd", "sft"},
    {"args", "sft"},
};

TEST_P(Properties, LargeAlphasGiveTheProposal) {
  each_world([](World world) {
    for (const double alpha : {1e12, std::numeric_limits<double>::infinity()}) {
      world.alpha = alpha;
      const Solution s = solve(world, {{}});
      for (const Valued& v : kValued) {
        expect_same_law(s.at(v.name).law, s.at(v.proposal).law, 1e-11);
      }
    }
    const Theorem1 t = *solve(world, {{}}).at("tq_direct").theorem;  // at infinity
    ASSERT_EQ(t.decoding, 0);
    ASSERT_EQ(t.kl_bound(), t.kl_alignment);
  });
}

TEST_P(Properties, SmallAlphasGiveTheBestValue) {
  each_world([](World world) {
    world.alpha = 1e-9;
    const Tree& tree = world.tree;
    const Solution s = solve(world, {{}});
    for (const Valued& v : kValued) {
      const Values& q = *s.at(v.name).q;
      const Law& law = s.at(v.name).law;
      for (Node node = 0; node < tree.size(); ++node) {
        if (tree.leaf(node)) continue;
        const auto values = tree.children(q, node), logs = tree.children(law, node);
        const auto best = std::max_element(values.begin(), values.end()) - values.begin();
        double second = -1;
        for (std::size_t z = 0; z < values.size(); ++z) {
          if (static_cast<long>(z) != best) second = std::max(second, values[z]);
        }
        // exp(-gap / alpha) is below any chance the proposal gives here.
        if (values[best] - second > 1e-6) {
          ASSERT_NEAR(std::exp(logs[best]), 1, 1e-9) << v.name;
        }
      }
    }
  });
}

TEST_P(Properties, AConstantInTheRewardChangesNothing) {
  each_world([](const World& world) {
    World shifted = world;
    for (double& r : shifted.reward) r += 100;
    for (double& r : *shifted.prefix_reward) r += 100;
    World other = world;
    for (double& r : other.baseline_reward) r -= 7;
    const Solution a = solve(world), b = solve(shifted), c = solve(other);
    for (std::size_t i = 0; i < a.cases.size(); ++i) {
      expect_same_law(a.cases[i].law, b.cases[i].law, 1e-9);
      expect_same_law(a.cases[i].law, c.cases[i].law, 1e-9);
      ASSERT_NEAR(a.cases[i].suboptimality, b.cases[i].suboptimality, 1e-9);
      ASSERT_NEAR(a.cases[i].kl_to_sft, b.cases[i].kl_to_sft, 1e-8);
    }
  });
}

// Rewards of +-1e4, alpha 1e-6, weights of -1e3 and far below in log space.
TEST_P(Properties, ExtremesStayFinite) {
  each_world([](const World& world) {
    const auto check = [](const World& w) {
      for (const Case& c : solve(w).cases) {
        for (const double x : {c.expected_reward, c.kl_to_sft, c.suboptimality}) {
          ASSERT_TRUE(std::isfinite(x)) << c.name;
        }
        if (c.theorem) {
          ASSERT_TRUE(std::isfinite(c.theorem->suboptimality_bound()));
          ASSERT_TRUE(std::isfinite(c.theorem->kl_bound()));
        }
        if (c.q) {
          for (const double q : *c.q) ASSERT_TRUE(std::isfinite(q)) << c.name;
        }
        expect_distributions(w, c.law, c.name);
        ASSERT_GE(c.kl_to_sft, -1e-6) << c.name;
      }
    };
    World w = world;
    for (Values* rewards : {&w.reward, &w.baseline_reward, &*w.prefix_reward}) {
      for (double& r : *rewards) r = r > 0.5 ? 1e4 : -1e4;
    }
    w.alpha = 1e-6;
    w.beta = 1e-6;
    check(w);
    w = world;
    w.beta = 1e-3;
    for (Node node = 0; node < w.tree.size(); ++node) {
      w.baseline_reward[node] = w.reward[node] + (node % 2 == 0 ? 1 : -1);
    }
    w.alpha = 1e-6;
    check(w);
    w.alpha = 1e-300;
    check(w);
  });
}

INSTANTIATE_TEST_SUITE_P(Lab, Properties, testing::Range(0, 10));

}  // namespace
}  // namespace tq::lab
