#include "transferq/eval/agreement.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace tq {

double mean_of(std::span<const double> values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double spread_of(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double mean = mean_of(values);
  double sum = 0;
  for (const double v : values) sum += (v - mean) * (v - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

double area_under_curve(std::span<const double> scores, std::span<const double> labels) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  // Sum over the ones of how many zeros lie below, those of an equal score counting half.
  double zeros = 0, ones = 0, wins = 0;
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    double tied_zeros = 0, tied_ones = 0;
    for (; end < order.size() && scores[order[end]] == scores[order[i]]; ++end) {
      (labels[order[end]] > 0 ? tied_ones : tied_zeros) += 1;
    }
    wins += tied_ones * (zeros + tied_zeros / 2);
    zeros += tied_zeros;
    ones += tied_ones;
    i = end;
  }
  if (zeros == 0 || ones == 0) return std::numeric_limits<double>::quiet_NaN();
  return wins / (zeros * ones);
}

double calibration_error(std::span<const double> scores, std::span<const double> labels,
                         std::size_t bins) {
  if (scores.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::vector<double> gap(bins);  // sum over a bin of probability - label
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double probability = 1 / (1 + std::exp(-scores[i]));
    const auto bin = static_cast<std::size_t>(probability * static_cast<double>(bins));
    gap[std::min(bin, bins - 1)] += probability - labels[i];
  }
  double sum = 0;
  for (const double g : gap) sum += std::abs(g);
  return sum / static_cast<double>(scores.size());
}

}  // namespace tq
