#include "transferq/decode/kl_budget.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "transferq/decode/choice.hpp"

namespace tq {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Alphas from this far below the values' spread to this far above it are searched: below it the
// best candidate has all, above it the tilt is less than a millionth.
constexpr double kDecades = 1e6;
// Less than this is what rounding left over; no tilt that is searched is as small.
constexpr double kRounding = 1e-12;
// Values nearer to each other than this are equal; a millionth of it is still a normal number.
constexpr double kLeastSpread = 1e-290;

}  // namespace

double alpha_within(std::span<const double> log_probabilities, std::span<const double> values,
                    std::span<const double> reference_log_probabilities, double nats) {
  const auto kl = [&](double alpha) {
    return kl_divergence(reweight(log_probabilities, values, alpha), reference_log_probabilities);
  };
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  // Halves, since the difference of the largest numbers is none.
  const double spread =
      2 * std::min(*most / 2 - *least / 2, std::numeric_limits<double>::max() / 2 / kDecades);
  if (!(spread > kLeastSpread)) return kInfinity;
  double loose = spread * kDecades, tight = spread / kDecades;
  if (!(kl(loose) <= nats)) return kInfinity;
  if (kl(tight) <= nats) return tight;
  // Halves the interval in log alpha; KL(loose) <= nats < KL(tight) throughout.
  for (int i = 0; i < 60; ++i) {
    const double middle = std::sqrt(loose) * std::sqrt(tight);
    (kl(middle) <= nats ? loose : tight) = middle;
  }
  return loose;
}

double KlBudget::share(std::size_t tokens, std::size_t room) const {
  const auto made = static_cast<double>(std::min(tokens, room));
  const double nats = left_ * made / static_cast<double>(std::max<std::size_t>(room, 1));
  return nats > kRounding ? nats : 0;
}

}  // namespace tq
