// Decoding by an implicit token reward, without roll-outs or a reward model: the value of a token
// is the log-ratio of an aligned policy and the reference,
//   pi(z|s) proportional to pi_ref(z|s) exp(v(z) / alpha),  v(z) = log pi_BL(z|s) - log
//   pi_ref(z|s),
// over the reference's top-k. alpha = 1 is the baseline itself (within the candidates), infinity
// the reference; below 1 it goes beyond the baseline, away from the reference.
//
// Sources: Xu et al., "GenARM: Reward Guided Generation with Autoregressive Reward Model for
// Test-time Alignment", ICLR 2025, arXiv 2410.08193, where v is the log-probability of a model
// trained as an autoregressive reward, and alpha its beta; with a tuned model and its untuned
// version for v, the same is Liu et al., "Decoding-time Realignment of Language Models", ICML 2024,
// and, for a small pair that guides a large model, Mitchell et al., "An Emulator for Fine-Tuning
// Large Language Models using Small Language Models", ICLR 2024. The same: the loop, one evaluation
// of each policy a token. What differs: no model is trained for it, any baseline is one; candidates
// are the reference's top-k (all of its vocabulary, at no cost, with --top-k as large).
//
// KL is summed exactly over the candidates. Where both policies are one, it is the reference.
#pragma once

#include "transferq/decode/choice.hpp"
#include "transferq/decode/decoder.hpp"

namespace tq {

class GenArmDecoder final : public Decoder {
 public:
  GenArmDecoder(double alpha, std::size_t top_k, Choose choose)
      : alpha_(alpha), top_k_(top_k), choose_(choose) {}
  Decoded decode(const DecodeTask& task, Evaluations& spent) const override;
  Workload workload(std::size_t max_tokens) const override { return {max_tokens, 1, 0}; }
  Roles roles() const override { return {.grows = Proposal::reference}; }
  bool needs_reward() const override { return false; }

 private:
  double alpha_;
  std::size_t top_k_;
  Choose choose_;
};

}  // namespace tq
