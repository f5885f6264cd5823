#include "transferq/decode/choice.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "transferq/core/logspace.hpp"

namespace tq {

std::vector<std::size_t> candidates(std::span<const double> log_probabilities, std::size_t k) {
  std::vector<std::size_t> out = top_k(log_probabilities, k);
  while (!out.empty() && std::isinf(log_probabilities[out.back()])) out.pop_back();
  return out;
}

std::vector<double> reweight(std::span<const double> log_probabilities,
                             std::span<const double> values, double alpha) {
  std::vector<double> score(log_probabilities.begin(), log_probabilities.end());
  // Subtracting the best value first keeps value / alpha finite or minus infinity, never NaN.
  const double best = *std::max_element(values.begin(), values.end());
  for (std::size_t i = 0; i < score.size(); ++i) {
    if (!std::isinf(alpha)) score[i] += (values[i] - best) / alpha;
  }
  return softmax(score);
}

std::size_t choose(std::span<const double> probabilities, Choose how, double u) {
  if (how == Choose::greedy) return argmax(probabilities);
  std::vector<double> log_weights;
  for (const double p : probabilities) log_weights.push_back(std::log(p));
  return sample(log_weights, u);
}

double kl_divergence(std::span<const double> probabilities,
                     std::span<const double> reference_log_probabilities) {
  double kl = 0;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    if (probabilities[i] > 0) {
      kl += probabilities[i] * (std::log(probabilities[i]) - reference_log_probabilities[i]);
    }
  }
  return kl;
}

}  // namespace tq
