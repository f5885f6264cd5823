#include "transferq/eval/interval.hpp"

#include <algorithm>
#include <cmath>

namespace tq {

Proportion wilson(std::size_t successes, std::size_t trials) {
  constexpr double z = 1.959963984540054;  // the normal distribution's 97.5% point
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(successes) / n;
  const double centre = p + z * z / (2 * n);
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  const double scale = 1 + z * z / n;
  return {p, std::max(0.0, (centre - half) / scale), std::min(1.0, (centre + half) / scale)};
}

}  // namespace tq
