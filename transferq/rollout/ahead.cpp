#include "transferq/rollout/ahead.hpp"

#include <utility>

namespace tq {

std::optional<Ahead> ahead_of(Expansion& expansion, std::size_t chosen, std::size_t committed) {
  for (std::size_t i = 0; i < expansion.kept.size(); ++i) {
    Rollout& rollout = expansion.rollouts[i];
    Kept& kept = expansion.kept[i];
    if (rollout.candidate != chosen) continue;
    if (!kept.branch || kept.last == nullptr || kept.evaluated <= committed) return std::nullopt;
    const auto from = static_cast<std::ptrdiff_t>(committed);
    Ahead ahead;
    ahead.tokens.assign(rollout.tokens.begin() + from, rollout.tokens.end());
    ahead.branch = std::move(kept.branch);
    ahead.evaluated = kept.evaluated - committed;
    ahead.last = std::move(kept.last);
    ahead.trail = rollout.trail;
    if (!rollout.logprobs.empty()) {
      ahead.logprobs.assign(rollout.logprobs.begin() + from, rollout.logprobs.end());
    }
    return ahead;
  }
  return std::nullopt;
}

void advance(std::optional<Ahead>& ahead, Token token) {
  if (!ahead) return;
  if (ahead->tokens.front() != token || ahead->evaluated < 2) {
    ahead.reset();
    return;
  }
  ahead->tokens.erase(ahead->tokens.begin());
  --ahead->evaluated;
  if (!ahead->logprobs.empty()) ahead->logprobs.erase(ahead->logprobs.begin());
}

}  // namespace tq
