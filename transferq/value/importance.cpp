#include "transferq/value/importance.hpp"

#include <algorithm>
#include <cmath>

#include "transferq/core/logspace.hpp"

namespace tq {
namespace {

double difference(const Evidence& e, std::size_t rollout) {
  return e.rewards[rollout] - (e.baseline_rewards.empty() ? 0.0 : e.baseline_rewards[rollout]);
}

// The weights of the roll-outs that are listed already.
void weigh(const Evidence& e, double beta, const WeightOptions& options, Weighted& w) {
  w.top = -std::numeric_limits<double>::infinity();
  for (const std::size_t i : w.rollouts) w.top = std::max(w.top, difference(e, i));
  std::vector<double> log_p, joint;
  for (const std::size_t i : w.rollouts) log_p.push_back(std::log(e.rollouts[i].weight));
  log_p = log_softmax(log_p);
  for (std::size_t j = 0; j < log_p.size(); ++j) {
    // The difference from the top comes first: it is 0 or less, and so is what it is divided to.
    joint.push_back(log_p[j] + options.power * ((difference(e, w.rollouts[j]) - w.top) / beta));
  }
  if (std::isfinite(options.clip)) {
    const double most = std::log(options.clip) + log_sum_exp(joint);
    for (std::size_t j = 0; j < joint.size(); ++j) {
      joint[j] = std::min(joint[j], log_p[j] + most);
    }
  }
  w.log_mean = log_sum_exp(joint);
  w.shares = softmax(joint);
  double squares = 0;
  for (const double share : w.shares) squares += share * share;
  w.effective = 1 / squares;
}

}  // namespace

std::vector<Weighted> importance_weights(const Evidence& evidence, double beta,
                                         const WeightOptions& options) {
  std::vector<Weighted> out(evidence.candidates);
  for (std::size_t i = 0; i < evidence.rollouts.size(); ++i) {
    if (evidence.rollouts[i].weight > 0) out[evidence.rollouts[i].candidate].rollouts.push_back(i);
  }
  for (Weighted& w : out) weigh(evidence, beta, options, w);
  return out;
}

std::optional<EffectiveSamples> effective_samples(const std::vector<Weighted>& candidates) {
  std::vector<EffectiveSamples> several;
  for (const Weighted& w : candidates) {
    if (w.rollouts.size() < 2) continue;
    several.push_back({w.effective, w.effective, static_cast<double>(w.rollouts.size())});
  }
  return effective_samples(several);
}

std::optional<EffectiveSamples> effective_samples(const std::vector<EffectiveSamples>& steps) {
  if (steps.empty()) return std::nullopt;
  EffectiveSamples all{0, steps.front().min, 0};
  for (const EffectiveSamples& step : steps) {
    all.mean += step.mean;
    all.min = std::min(all.min, step.min);
    all.rollouts += step.rollouts;
  }
  all.mean /= static_cast<double>(steps.size());
  all.rollouts /= static_cast<double>(steps.size());
  return all;
}

bool collapsed(const EffectiveSamples& e) {
  return e.mean < std::max(std::min(2.0, (1 + e.rollouts) / 2), e.rollouts / 10);
}

}  // namespace tq
