#include "transferq/decode/tail.hpp"

#include <cmath>
#include <limits>

#include "transferq/core/logspace.hpp"

namespace tq {
namespace {

// The proposal without the candidates, not normalised.
std::vector<double> rest(std::span<const double> proposed,
                         std::span<const std::size_t> candidates) {
  std::vector<double> out(proposed.begin(), proposed.end());
  for (const std::size_t z : candidates) out[z] = -std::numeric_limits<double>::infinity();
  return out;
}

}  // namespace

Tail tail_of(std::span<const double> proposed, std::span<const double> reference,
             std::span<const std::size_t> candidates) {
  const std::vector<double> left = rest(proposed, candidates);
  const double mass = log_sum_exp(left);
  if (std::isinf(mass)) return {mass, mass};
  double divergence = 0;
  for (std::size_t z = 0; z < left.size(); ++z) {
    const double share = std::exp(left[z] - mass);
    if (share > 0) divergence += share * (left[z] - mass - reference[z]);
  }
  return {mass, -divergence};
}

std::size_t draw_tail(std::span<const double> proposed, std::span<const std::size_t> candidates,
                      double u) {
  return sample(rest(proposed, candidates), u);
}

double mean_value(std::span<const double> log_probabilities, std::span<const double> values) {
  const std::vector<double> weights = softmax(log_probabilities);
  double mean = 0;
  for (std::size_t i = 0; i < values.size(); ++i) mean += weights[i] * values[i];
  return mean;
}

}  // namespace tq
