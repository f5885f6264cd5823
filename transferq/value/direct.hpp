// Direct transfer: the value of a candidate is the expected reward of its roll-outs by a baseline
// that was aligned to the same reward,
//   Q(s, z) = E_{tau ~ rho_BL(.|s,z)}[ r(s, z, tau) ]      (Transfer Q*, section 3.1).
// With no roll-out (horizon 0) it is the reward of the prefix itself, the value of ARGS.
#pragma once

#include <span>
#include <vector>

#include "transferq/value/valuation.hpp"

namespace tq {

// `rewards` has one value a roll-out; returns one a candidate (0 <= candidate < candidates).
// Weights are normalised within each candidate.
std::vector<double> direct_values(std::span<const Rollout> rollouts,
                                  std::span<const double> rewards, std::size_t candidates);

class Direct final : public Valuation {
 public:
  Valued value(const Evidence& e) const override {
    return {direct_values(e.rollouts, e.rewards, e.candidates), std::nullopt};
  }
  bool reads_baseline_reward() const override { return false; }
};

}  // namespace tq
