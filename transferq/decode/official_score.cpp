#include "transferq/decode/official_score.hpp"

#include <algorithm>
#include <cmath>

namespace tq {
namespace {

// sign * exp(log_size); zero has the sign 0 and the size minus infinity.
struct Term {
  int sign;
  double log_size;
};

Term term(double reward, double baseline_reward, double alpha) {
  const int sign = reward > 0 ? 1 : reward < 0 ? -1 : 0;
  return {sign, (reward - baseline_reward) / 2 + std::log(std::abs(reward)) - std::log(alpha)};
}

bool less(const Term& a, const Term& b) {
  if (a.sign != b.sign) return a.sign < b.sign;
  return a.sign >= 0 ? a.log_size < b.log_size : a.log_size > b.log_size;
}

// a - b for a no greater than b.
double difference(const Term& a, const Term& b) {
  if (!less(a, b)) return 0;
  if (a.sign < 0 && b.sign > 0) return -std::exp(a.log_size) - std::exp(b.log_size);
  const Term& larger = b.sign > 0 ? b : a;
  const Term& smaller = b.sign > 0 ? a : b;
  if (std::isinf(larger.log_size) && larger.log_size < 0) return 0;  // alpha is infinite
  return std::exp(larger.log_size) * std::expm1(smaller.log_size - larger.log_size);
}

}  // namespace

std::vector<double> official_scores(std::span<const double> logits, std::span<const double> rewards,
                                    double alpha) {
  const double best = *std::max_element(rewards.begin(), rewards.end());
  std::vector<double> scores;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    scores.push_back((rewards[i] - best) / alpha + logits[i]);
  }
  return scores;
}

std::vector<double> official_indirect_scores(std::span<const double> logits,
                                             std::span<const double> rewards,
                                             std::span<const double> baseline_rewards,
                                             double alpha) {
  std::vector<Term> terms;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    terms.push_back(term(rewards[i], baseline_rewards[i], alpha));
  }
  const Term best = *std::max_element(terms.begin(), terms.end(), less);
  std::vector<double> scores;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    scores.push_back(difference(terms[i], best) + logits[i]);
  }
  return scores;
}

}  // namespace tq
