#include "transferq/decode/commit.hpp"

#include <algorithm>
#include <cmath>

#include "transferq/core/logspace.hpp"
#include "transferq/engine/model.hpp"

namespace tq {

Winner winner_of(const Expansion& expansion, std::span<const double> rewards, std::size_t chosen,
                 Token candidate, const Commit& commit) {
  Winner out;
  out.tokens = {candidate};
  if (!expansion.blocks.empty()) {
    const std::vector<Token>& rest = expansion.blocks[chosen].tokens;
    out.tokens.insert(out.tokens.end(), rest.begin(), rest.end());
    out.block = out.tokens.size();
  }
  if (commit.tokens <= 1) return out;
  for (std::size_t i = 0; i < expansion.rollouts.size(); ++i) {
    if (expansion.rollouts[i].candidate != chosen) continue;
    if (out.of_rollouts++ == 0 || rewards[i] > rewards[out.rollout]) out.rollout = i;
  }
  if (out.of_rollouts == 0) return out;
  const Rollout& rollout = expansion.rollouts[out.rollout];
  const std::vector<Token>& more = rollout.tokens;
  std::size_t kept = std::min(commit.tokens - 1, more.size());
  if (commit.confidence > 0) {
    const double least = std::log(commit.confidence);
    const auto first = rollout.logprobs.begin();
    const auto last = first + static_cast<std::ptrdiff_t>(std::min(kept, rollout.logprobs.size()));
    const auto doubtful = std::find_if(first, last, [&](double p) { return p < least; });
    out.cut = doubtful != last;
    if (out.cut) kept = static_cast<std::size_t>(doubtful - first);
  }
  out.tokens.insert(out.tokens.end(), more.begin(),
                    more.begin() + static_cast<std::ptrdiff_t>(kept));
  return out;
}

void commit_to(Stream& roller, Expansion& expansion, std::size_t chosen, const Winner& winner) {
  const auto adopt = [&](Branch& branch, Output& output, const Trail& trail) {
    const std::size_t before = roller.branch().length();
    const std::size_t more = branch.length() - before;
    Trail grown = trail.first(roller.trail().length() + more);
    roller.adopt(std::move(branch), std::move(output), std::move(grown));
    return more;
  };
  std::size_t held = 0;  // tokens that need no evaluation any more
  const std::size_t committed = winner.tokens.size() - winner.block;
  if (committed > 0 && !expansion.kept.empty() && expansion.kept[winner.rollout].branch) {
    Kept& kept = expansion.kept[winner.rollout];
    const bool known = !kept.output.logits.empty() && !winner.cut;  // the state after the last
    const std::size_t rolled = std::min(kept.evaluated, known ? committed : committed - 1);
    Branch trunk = kept.branch.fork();
    trunk.truncate(kept.branch.length() - kept.evaluated + rolled);
    held = adopt(trunk, kept.output, expansion.rollouts[winner.rollout].trail);
  } else if (chosen < expansion.branches.size() && expansion.branches[chosen]) {
    held = adopt(expansion.branches[chosen], expansion.outputs[chosen], expansion.trails[chosen]);
  }
  follow(roller, std::span(winner.tokens).subspan(held), false);
}

double committed_kl(const Winner& winner, std::span<const Rollout> rollouts,
                    std::optional<double> block_logprob, std::span<const double> reference,
                    bool greedy) {
  double kl = 0;
  if (block_logprob && !reference.empty()) {
    kl += *block_logprob;
    for (std::size_t i = 0; i < winner.block; ++i) kl -= reference[i];
  }
  if (winner.tokens.size() == winner.block) return kl;
  const Rollout& rollout = rollouts[winner.rollout];
  if (!greedy) kl += std::log(static_cast<double>(winner.of_rollouts));
  for (std::size_t i = winner.block; i < winner.tokens.size(); ++i) {
    if (!greedy && reference.empty()) continue;
    if (!greedy) kl += rollout.logprobs[i - winner.block];
    kl -= reference.empty() ? rollout.logprobs[i - winner.block] : reference[i];
  }
  return kl;
}

std::vector<double> follow(Stream& stream, std::span<const Token> tokens, bool read) {
  std::vector<double> logprobs;
  for (const Token token : tokens) {
    if (read) {
      logprobs.push_back(log_softmax(stream.state().logits)[static_cast<std::size_t>(token)]);
    }
    if (!stream.policy().model().is_end(token)) stream.append(token);
  }
  return logprobs;
}

}  // namespace tq
