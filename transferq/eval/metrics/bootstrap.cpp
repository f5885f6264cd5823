#include "transferq/eval/metrics/bootstrap.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/core/random.hpp"
#include "transferq/eval/metrics/finite.hpp"

namespace tq {
namespace {

// The quantile q of sorted values, between neighbours in proportion (Hyndman and Fan's type 7).
double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

// The mean about a value, so that equal values have that very mean.
template <typename At>
double mean_about(double centre, std::size_t n, const At& at) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += at(i) - centre;
  return centre + sum / static_cast<double>(n);
}

// A draw is one word of Philox, four a call: (word * n) / 2^32, uneven by n / 2^32 at most.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint32_t resample)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        resample_(resample) {}
  std::size_t below(std::size_t n) {
    if (used_ == words_.size()) {
      words_ = philox({resample_, block_++, kPurpose, 0}, key_);
      used_ = 0;
    }
    return static_cast<std::size_t>((std::uint64_t{words_[used_++]} * n) >> 32);
  }

 private:
  static constexpr std::uint32_t kPurpose = 0x626f6f74;  // no other draw has it
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> words_{};
  std::size_t used_ = 4;
  std::uint32_t resample_, block_ = 0;
};

}  // namespace

Estimate bootstrap_mean(std::span<const double> values, std::uint64_t seed, std::size_t resamples) {
  require_finite(values, "those to be averaged");
  if (values.empty() || resamples == 0) {
    throw Error(ErrorKind::usage, values.empty()
                                      ? "no values to be averaged; leave out what has none"
                                      : "an interval needs at least one resample");
  }
  const std::size_t n = values.size();
  const double centre = values.front();
  const double mean = mean_about(centre, n, [&](std::size_t i) { return values[i]; });
  std::vector<double> means(resamples);
  for (std::size_t r = 0; r < resamples; ++r) {
    Draws draws(seed, static_cast<std::uint32_t>(r));
    means[r] = mean_about(centre, n, [&](std::size_t) { return values[draws.below(n)]; });
  }
  std::sort(means.begin(), means.end());
  return {mean, quantile(means, 0.025), quantile(means, 0.975), n};
}

}  // namespace tq
