// What the authors' public code does, for comparison. Candidates are the k highest raw logits; each
// is continued by one greedy roll-out of a fixed length; the whole text, special tokens written
// out, is tokenised anew and scored; score = reward / alpha + logit, and the highest wins. Exactly
// max_tokens tokens are made, without a stop at the end of the text. Proposal and roll-outs come
// from the baseline.
//
// Their indirect variant weighs by a second reward, r1, of the baseline: the score is
//   exp((r - r1) / 2) r / alpha + logit,
// for the one roll-out, with nothing to normalise by. Theirs has a horizon of 5.
//
// Two conventions of that code show in the values: a roll-out that ended is padded with the token
// that ended it, and the reward is read at the last token that is not padding; and its reward
// models have a head without bias, so a head's constant is left out of the values (direct, it
// changes no choice; in the indirect score it would count). The reward of the final response is the
// ordinary one.
#pragma once

#include "transferq/decode/decoder.hpp"
#include "transferq/rollout/continuation.hpp"

namespace tq {

class OfficialDecoder final : public Decoder {
 public:
  OfficialDecoder(double alpha, std::size_t top_k, std::size_t horizon, bool indirect = false);
  Decoded decode(const DecodeTask& task, Evaluations& spent) const override;
  Workload workload(std::size_t max_tokens) const override;
  Roles roles() const override { return {.texts = true, .baseline_reward = indirect_}; }
  bool needs_reward() const override { return true; }

 private:
  double alpha_;
  std::size_t top_k_;
  bool indirect_;
  Continuation rollouts_;
};

}  // namespace tq
