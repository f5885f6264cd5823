// Chunk-level beam search (CBS): W beams; each draws K successors of L tokens from the proposal,
// and of all W K the W of the highest rewards of the text so far go on (ties to the earlier). When
// all that are kept have ended, the best one is the answer. W = 1 chooses block by block (one token
// with L = 1); L as long as the response is best-of-W K.
//
// Source: Zhou et al., "Weak-to-Strong Search: Align Large Language Models via Searching over Small
// Language Models", NeurIPS 2024, arXiv 2405.19262, Algorithm 1. The same: the search. What
// differs: the reward is any that can score partial responses; there it is the log-ratio of a tuned
// small model and its untuned version (here `--reward implicit=...` with beta 1). A beam that has
// ended takes one place; the authors' code copies it K times, where it can crowd the others out.
//
// KL to the proposal, as a bound: with W = 1 each chunk is a choice among K draws, log K - (K - 1)
// / K (selection_bound in drawing.hpp). With more beams, a response y of c chunks is found in the
// tree at most W K^c rho(y) times on average, so log P(y) - log rho(y) <= log W + c log K.
#pragma once

#include "transferq/decode/decoder.hpp"
#include "transferq/decode/plain.hpp"

namespace tq {

struct ChunkBeamOptions {
  std::size_t beams = 4;       // W
  std::size_t successors = 4;  // K, of each beam
  std::size_t chunk = 10;      // L, tokens
  Proposal proposal = Proposal::baseline;
};

class ChunkBeamDecoder final : public Decoder {
 public:
  explicit ChunkBeamDecoder(ChunkBeamOptions options) : options_(options) {}
  Decoded decode(const DecodeTask& task, Evaluations& spent) const override;
  Workload workload(std::size_t max_tokens) const override;
  Roles roles() const override { return roles_of(options_.proposal); }
  bool needs_reward() const override { return true; }

 private:
  double kl_bound(std::size_t tokens) const;

  ChunkBeamOptions options_;
};

}  // namespace tq
