#include "transferq/value/direct.hpp"

namespace tq {

std::vector<double> direct_values(std::span<const Rollout> rollouts,
                                  std::span<const double> rewards, std::size_t candidates) {
  std::vector<double> values(candidates, 0.0);
  std::vector<double> weights(candidates, 0.0);
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    values[rollouts[i].candidate] += rollouts[i].weight * rewards[i];
    weights[rollouts[i].candidate] += rollouts[i].weight;
  }
  for (std::size_t c = 0; c < candidates; ++c) values[c] /= weights[c];
  return values;
}

}  // namespace tq
