#include "transferq/decode/gate.hpp"

#include <cmath>

namespace tq {

std::vector<std::size_t> pass_gate(std::span<const double> log_probabilities,
                                   std::vector<std::size_t> candidates, double min_p) {
  if (candidates.empty() || min_p <= 0) return candidates;
  const double least = log_probabilities[candidates.front()] + std::log(min_p);
  std::size_t passed = 1;
  while (passed < candidates.size() && log_probabilities[candidates[passed]] >= least) ++passed;
  candidates.resize(passed);
  return candidates;
}

double gate_of_bounds(double low, double high, double alpha) {
  const double gap = (high - low) / alpha;
  if (!std::isfinite(gap) || !(gap >= 0) || std::isinf(alpha)) return 0;
  return std::exp(-gap - 1e-9 * (1 + gap));
}

}  // namespace tq
