#include "transferq/decode/halving.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "transferq/core/logspace.hpp"

namespace tq {

std::vector<std::size_t> halving_positions(std::size_t horizon, std::size_t halvings) {
  std::vector<std::size_t> out;
  for (std::size_t i = std::min<std::size_t>(halvings, 63); i > 0; --i) {
    const std::size_t at = horizon >> i;
    if (out.empty() || at > out.back()) out.push_back(at);
  }
  return out;
}

std::vector<bool> highest(std::span<const double> scores, std::size_t count) {
  std::vector<bool> out(scores.size(), false);
  for (const std::size_t i : top_k(scores, count)) out[i] = true;
  return out;
}

std::vector<double> standard_errors(std::span<const Rollout> rollouts,
                                    std::span<const double> rewards, std::size_t count) {
  std::vector<double> number(count, 0), mean(count, 0), squares(count, 0);  // of deviations
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    const std::size_t c = rollouts[i].candidate;
    const double from_mean = rewards[i] - mean[c];
    mean[c] += from_mean / ++number[c];
    squares[c] += from_mean * (rewards[i] - mean[c]);
  }
  std::vector<double> out(count, 0);
  for (std::size_t c = 0; c < count; ++c) {
    if (number[c] >= 2) out[c] = std::sqrt(squares[c] / (number[c] - 1) / number[c]);
  }
  return out;
}

Halving::Halving(const Valuing& valuing, const Response& response, const Candidates& set,
                 double alpha, const HalvingOptions& options)
    : valuing_(valuing),
      response_(response),
      set_(set),
      alpha_(alpha),
      errors_(options.errors),
      screen_(options.screen),
      spared_(options.spared),
      given_up_(set.tokens.size(), false),
      values_(set.tokens.size(), std::numeric_limits<double>::quiet_NaN()),
      standard_errors_(set.tokens.size(), 0),
      culling_{halving_positions(options.horizon, options.halvings),
               [this](std::span<const Rollout> rollouts, const std::vector<bool>& open) {
                 return survivors(rollouts, open);
               }} {
  // Roll-outs that have not begun do not differ, which is no certainty.
  if (errors_ > 0) std::erase(culling_.at, 0);
  if (screen_ > 0 && (culling_.at.empty() || culling_.at.front() > 0)) {
    culling_.at.insert(culling_.at.begin(), 0);
  }
}

StepValues Halving::value_left(std::span<const Rollout> rollouts) {
  std::vector<std::size_t> place(given_up_.size());  // of a candidate among those that are left
  std::vector<Token> tokens;
  for (std::size_t c = 0; c < given_up_.size(); ++c) {
    place[c] = tokens.size();
    if (!given_up_[c]) tokens.push_back(set_.tokens[c]);
  }
  Expansion left;
  for (const Rollout& rollout : rollouts) {
    if (given_up_[rollout.candidate]) continue;
    left.rollouts.push_back(rollout);
    left.rollouts.back().candidate = place[rollout.candidate];
  }
  StepValues valued = valuing_.value(response_, tokens, left);
  const std::vector<double> errors = standard_errors(left.rollouts, valued.rewards, tokens.size());
  for (std::size_t c = 0; c < given_up_.size(); ++c) {
    if (given_up_[c]) continue;
    values_[c] = valued.values[place[c]];
    standard_errors_[c] = errors[place[c]];
  }
  return valued;
}

void Halving::predict(std::span<const Rollout> rollouts) {
  Expansion alone;
  for (const Rollout& rollout : rollouts) {  // those of a candidate begin alike: one stands for all
    if (rollout.candidate == alone.rollouts.size()) alone.rollouts.push_back(rollout);
  }
  values_ = valuing_.predict(response_, set_.tokens, alone).values;
}

std::vector<bool> Halving::survivors(std::span<const Rollout> rollouts,
                                     const std::vector<bool>& open) {
  const std::size_t screen = std::exchange(screen_, 0);
  screen > 0 ? predict(rollouts) : static_cast<void>(value_left(rollouts));
  std::vector<std::size_t> left;
  double best = -std::numeric_limits<double>::infinity();
  for (std::size_t c = 0; c < given_up_.size(); ++c) {
    if (given_up_[c]) continue;
    left.push_back(c);
    best = std::max(best, values_[c]);
  }
  std::vector<double> scores, margins;
  for (const std::size_t c : left) {
    // As in reweight(): the difference is never NaN.
    const double tilt = std::isinf(alpha_) ? 0 : (values_[c] - best) / alpha_;
    scores.push_back(set_.logprobs[c] + tilt);
    const bool sure = errors_ == 0 || screen > 0 || std::isinf(alpha_);
    margins.push_back(sure ? 0 : errors_ * standard_errors_[c] / alpha_);
  }
  const std::vector<bool> stays =
      highest(scores, screen > 0 ? screen : (scores.size() + 1) / 2);  // the half is rounded up
  const std::size_t first = argmax(scores);
  for (std::size_t i = 0; i < left.size(); ++i) {
    const bool spared = screen == 0 && left[i] == spared_;
    const bool decided = scores[i] + margins[i] <= scores[first] - margins[first];
    if (!stays[i] && decided && open[left[i]] && !spared) given_up_[left[i]] = true;
  }
  std::vector<bool> out = given_up_;
  out.flip();
  return out;
}

StepValues Halving::value(const Expansion& expansion) {
  const StepValues left = value_left(expansion.rollouts);
  StepValues out;
  out.effective = left.effective;
  out.values = values_;
  std::size_t at = 0;
  for (const Rollout& rollout : expansion.rollouts) {
    out.rewards.push_back(given_up_[rollout.candidate] ? std::numeric_limits<double>::quiet_NaN()
                                                       : left.rewards[at++]);
  }
  return out;
}

}  // namespace tq
