// How a candidate's value follows from the rewards of its roll-outs: the one thing in which direct,
// indirect and soft transfer differ. A decoder is given a Valuation and does not know which it is.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "transferq/rollout/rollout.hpp"

namespace tq {

// What was seen of the candidates of one step.
struct Evidence {
  std::span<const Rollout> rollouts;  // at least one a candidate, with a weight above 0
  std::span<const double> rewards;    // one a roll-out, by the target reward
  // One a roll-out, by the reward that the baseline was aligned to; empty: 0 each, as of a baseline
  // that is the reference itself.
  std::span<const double> baseline_rewards;
  std::size_t candidates = 0;
};

// How many equally weighted roll-outs the weighted ones are worth, over the candidates that have
// more than one roll-out. (A candidate that ends the response has one, and its value is exact.)
struct EffectiveSamples {
  double mean = 0;      // over those candidates
  double min = 0;       // of the worst of them
  double rollouts = 0;  // that one of them has, on average
};

struct Valued {
  std::vector<double> values;                 // one a candidate, in units of the reward
  std::optional<EffectiveSamples> effective;  // where roll-outs are weighted, and there are several
};

// Immutable, thread-safe.
class Valuation {
 public:
  virtual ~Valuation() = default;
  virtual Valued value(const Evidence& evidence) const = 0;
  // Whether the baseline's rewards matter; else they need not be had.
  virtual bool reads_baseline_reward() const = 0;
};

}  // namespace tq
