// Texts that a reward's model reads, all behind one prompt: plans the memory, opens the session
// when the first text comes, makes it larger when a text needs more than was planned, and counts.
// Not thread-safe.
#pragma once

#include <optional>
#include <vector>

#include "transferq/reward/prefix_cache.hpp"
#include "transferq/reward/reward.hpp"

namespace tq {

class TextReader {
 public:
  // `prompt` tokens come before every response, and up to `behind` after it. The policy and the
  // sessions must outlive the reader. Throws Error (input) when there is no room for any of a
  // response.
  TextReader(const Policy& policy, SessionPool& sessions, std::size_t prompt, const Workload& work,
             PrefixCacheOptions options, std::size_t behind = 0);

  // Tokens that a text may have, prompt included; longer ones must be cut.
  std::size_t longest() const { return longest_; }
  const Policy& policy() const { return policy_; }

  // What the options ask for of each text, in order; none of them empty.
  std::vector<std::vector<double>> read(const std::vector<std::vector<Token>>& texts);

  // What was evaluated so far; nothing before the first text.
  std::vector<ModelCost> costs() const;

 private:
  const Policy& policy_;
  SessionPool& sessions_;
  PrefixCacheOptions options_;
  std::size_t prompt_;
  std::size_t longest_;
  std::optional<PrefixCache> cache_;
  std::size_t cells_ = 0;     // of the cache's session
  std::size_t shared_ = 0;    // tokens of the prompt that others evaluated
  std::uint64_t before_ = 0;  // evaluated in sessions that were too small
};

}  // namespace tq
