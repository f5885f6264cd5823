#include "transferq/value/indirect.hpp"

namespace tq {

Valued Indirect::value(const Evidence& evidence) const {
  const std::vector<Weighted> candidates = importance_weights(evidence, beta_, options_);
  Valued out{{}, effective_samples(candidates)};
  for (const Weighted& w : candidates) {
    double value = 0;
    for (std::size_t j = 0; j < w.shares.size(); ++j) {
      value += w.shares[j] * evidence.rewards[w.rollouts[j]];
    }
    out.values.push_back(value);
  }
  return out;
}

}  // namespace tq
