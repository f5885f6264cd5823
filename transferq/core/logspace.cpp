#include "transferq/core/logspace.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tq {

double log_sum_exp(std::span<const double> x) {
  if (x.empty()) return -std::numeric_limits<double>::infinity();
  const double top = *std::max_element(x.begin(), x.end());
  if (!std::isfinite(top)) return top;
  double sum = 0;
  for (const double v : x) sum += std::exp(v - top);
  return top + std::log(sum);
}

std::vector<double> log_softmax(std::span<const double> logits) {
  const double norm = log_sum_exp(logits);
  std::vector<double> out(logits.begin(), logits.end());
  for (double& v : out) v -= norm;
  return out;
}

std::vector<double> softmax(std::span<const double> logits) {
  std::vector<double> out = log_softmax(logits);
  for (double& v : out) v = std::exp(v);
  return out;
}

double entropy(std::span<const double> logits) {
  double sum = 0;
  for (const double l : log_softmax(logits)) {
    if (l > -std::numeric_limits<double>::infinity()) sum -= std::exp(l) * l;
  }
  return sum;
}

namespace {

template <typename T>
std::size_t first_largest(std::span<const T> x) {
  return x.empty() ? 0 : static_cast<std::size_t>(std::max_element(x.begin(), x.end()) - x.begin());
}

}  // namespace

std::size_t argmax(std::span<const double> x) { return first_largest(x); }
std::size_t argmax(std::span<const float> x) { return first_largest(x); }

std::vector<std::size_t> top_k(std::span<const double> x, std::size_t k) {
  k = std::min(k, x.size());
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
      [&](std::size_t a, std::size_t b) { return x[a] != x[b] ? x[a] > x[b] : a < b; });
  order.resize(k);
  return order;
}

std::size_t sample(std::span<const double> log_weights, double u) {
  const double top = *std::max_element(log_weights.begin(), log_weights.end());
  std::vector<double> cumulative(log_weights.size());
  double sum = 0;
  for (std::size_t i = 0; i < log_weights.size(); ++i) {
    sum += std::exp(log_weights[i] - top);
    cumulative[i] = sum;
  }
  const auto it = std::upper_bound(cumulative.begin(), cumulative.end(), u * sum);
  if (it != cumulative.end()) return static_cast<std::size_t>(it - cumulative.begin());
  // u * sum rounded up to the total: the last index of positive weight.
  return static_cast<std::size_t>(std::lower_bound(cumulative.begin(), cumulative.end(), sum) -
                                  cumulative.begin());
}

}  // namespace tq
