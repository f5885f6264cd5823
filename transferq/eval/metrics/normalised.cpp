#include "transferq/eval/metrics/normalised.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "transferq/core/error.hpp"

namespace tq {

double normalised_reward(double mean, double plain, double best) {
  if (!std::isfinite(mean) || !std::isfinite(plain) || !std::isfinite(best)) {
    throw Error(ErrorKind::usage,
                fmt::format("rewards to be normalised must be finite, not {}, {} and {}; leave out "
                            "runs without a reward",
                            mean, plain, best));
  }
  if (best < plain || best < mean) {
    throw Error(ErrorKind::usage,
                fmt::format("the best run's reward {} is below {}; give the largest of all runs",
                            best, best < plain ? plain : mean));
  }
  if (best == plain) return std::numeric_limits<double>::quiet_NaN();
  return (mean - plain) / (best - plain);
}

}  // namespace tq
