#include "transferq/rollout/blocks.hpp"

#include <algorithm>

#include "transferq/core/logspace.hpp"
#include "transferq/engine/model.hpp"

namespace tq {
namespace {

// No roll-out has this number.
constexpr std::uint32_t kBlock = 0xFFFFFFFF;

}  // namespace

RandomKey block_key(RandomKey step, std::size_t candidate, std::size_t position) {
  step.candidate = static_cast<std::uint32_t>(candidate);
  step.sample = kBlock;
  step.position = static_cast<std::uint32_t>(position);
  return step;
}

std::size_t block_length(std::size_t block, std::size_t room) { return std::min(block, room); }

void grow_blocks(const ExpandRequest& request, std::size_t block, bool last, std::size_t from,
                 std::size_t to, Expansion& expansion) {
  Session& session = request.trunk.session();
  const std::size_t length = block_length(block, request.room);
  std::vector<std::size_t> open;
  for (std::size_t c = from; c < to; ++c) {
    if (expansion.branches[c]) open.push_back(c);
  }
  for (std::size_t at = 1; at < length && !open.empty(); ++at) {
    check_stop(request.stop);
    std::vector<Feed> feeds;
    std::vector<std::size_t> fed;
    for (const std::size_t c : open) {
      const std::vector<double>& logits = expansion.outputs[c].logits;
      const std::size_t token = sample(logits, uniform(block_key(request.key, c, at)));
      Block& grown = expansion.blocks[c];
      grown.tokens.push_back(static_cast<Token>(token));
      if (request.logprobs) grown.logprob += logits[token] - log_sum_exp(logits);
      grown.ended = session.model().is_end(static_cast<Token>(token));
      if (grown.ended || (at + 1 == length && !last)) continue;
      feeds.push_back({expansion.branches[c].id(), std::span(&grown.tokens.back(), 1),
                       request.hidden ? Want::logits | Want::hidden : Want::logits});
      fed.push_back(c);
    }
    if (feeds.empty()) return;
    std::vector<Output> outputs = session.forward(feeds);
    expansion.evaluations += feeds.size();
    for (std::size_t i = 0; i < fed.size(); ++i) {
      if (request.hidden) expansion.trails[fed[i]].append(outputs[i].hidden);
      expansion.outputs[fed[i]] = std::move(outputs[i]);
    }
    open = std::move(fed);
  }
}

}  // namespace tq
