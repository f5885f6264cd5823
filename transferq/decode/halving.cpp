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

Halving::Halving(const Valuing& valuing, const Response& response, const Candidates& set,
                 double alpha, std::size_t horizon, std::size_t halvings, std::size_t screen,
                 std::optional<std::size_t> spared)
    : valuing_(valuing),
      response_(response),
      set_(set),
      alpha_(alpha),
      screen_(screen),
      spared_(spared),
      given_up_(set.tokens.size(), false),
      values_(set.tokens.size(), std::numeric_limits<double>::quiet_NaN()),
      culling_{halving_positions(horizon, halvings),
               [this](std::span<const Rollout> rollouts, const std::vector<bool>& open) {
                 return survivors(rollouts, open);
               }} {
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
  for (std::size_t c = 0; c < given_up_.size(); ++c) {
    if (!given_up_[c]) values_[c] = valued.values[place[c]];
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
  std::vector<double> scores;
  for (const std::size_t c : left) {
    // As in reweight(): the difference is never NaN.
    const double tilt = std::isinf(alpha_) ? 0 : (values_[c] - best) / alpha_;
    scores.push_back(set_.logprobs[c] + tilt);
  }
  const std::vector<bool> stays =
      highest(scores, screen > 0 ? screen : (scores.size() + 1) / 2);  // the half is rounded up
  for (std::size_t i = 0; i < left.size(); ++i) {
    const bool spared = screen == 0 && left[i] == spared_;
    if (!stays[i] && open[left[i]] && !spared) given_up_[left[i]] = true;
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
