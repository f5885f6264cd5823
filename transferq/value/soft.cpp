#include "transferq/value/soft.hpp"

namespace tq {

Valued Soft::value(const Evidence& evidence) const {
  const std::vector<Weighted> candidates = importance_weights(evidence, beta_, options_);
  Valued out{{}, effective_samples(candidates)};
  for (const Weighted& w : candidates) {
    out.values.push_back(w.top + beta_ * (w.log_mean / options_.power));
  }
  return out;
}

}  // namespace tq
