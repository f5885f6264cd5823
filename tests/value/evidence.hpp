// Roll-outs and their rewards, as tests of valuations make them up.
#pragma once

#include <vector>

#include "transferq/core/random.hpp"
#include "transferq/value/valuation.hpp"

namespace tq::testing {

struct MadeUp {
  std::vector<Rollout> rollouts;
  std::vector<double> rewards, baseline_rewards;
  std::size_t candidates = 0;

  void add(std::size_t candidate, double weight, double reward, double baseline_reward) {
    rollouts.push_back({candidate, {}, weight, {}});
    rewards.push_back(reward);
    baseline_rewards.push_back(baseline_reward);
    candidates = std::max(candidates, candidate + 1);
  }
  Evidence evidence() const { return {rollouts, rewards, baseline_rewards, candidates}; }
};

// Up to 5 candidates of up to 6 roll-outs with random shares, and rewards within +-`scale`.
inline MadeUp made_up(std::uint64_t seed, double scale = 2) {
  RandomKey key{.seed = seed};
  const auto draw = [&] {
    ++key.position;
    return uniform(key);
  };
  MadeUp out;
  const auto candidates = 1 + static_cast<std::size_t>(5 * draw());
  for (std::size_t c = 0; c < candidates; ++c) {
    const auto rollouts = 1 + static_cast<std::size_t>(6 * draw());
    for (std::size_t i = 0; i < rollouts; ++i) {
      const double weight = 0.01 + draw();
      const double reward = scale * (2 * draw() - 1);
      out.add(c, weight, reward, scale * (2 * draw() - 1));
    }
  }
  return out;
}

}  // namespace tq::testing
