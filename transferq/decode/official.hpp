// What the authors' public code does, for comparison: candidates are the k highest raw logits, each
// continued by one greedy roll-out of a fixed length that does not stop at the end of the text; the
// whole text, special tokens written out, is scored; score = reward / alpha + logit, the highest
// wins; exactly max_tokens tokens are made. Proposal and roll-outs come from the baseline.
#pragma once

#include "transferq/decode/decoder.hpp"
#include "transferq/rollout/continuation.hpp"

namespace tq {

class OfficialDecoder final : public Decoder {
 public:
  OfficialDecoder(double alpha, std::size_t top_k, std::size_t horizon);
  Decoded decode(const DecodeTask& task, Evaluations& spent) const override;
  Workload workload(std::size_t max_tokens) const override;
  bool needs_reward() const override { return true; }

 private:
  double weight_;  // 1 / alpha
  std::size_t top_k_;
  Continuation rollouts_;
};

}  // namespace tq
