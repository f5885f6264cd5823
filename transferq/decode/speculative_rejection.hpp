// Speculative rejection: N responses grow together; every `chunk` tokens the partial responses are
// scored, and of those still growing the floor(rate n) of the lowest rewards are given up (of
// equals the later ones). The answer is the finished response of the highest reward, ties to the
// first. Rate 0 is best-of-N.
//
// Source: Sun et al., "Fast Best-of-N Decoding via Speculative Rejection", NeurIPS 2024, arXiv
// 2410.20290, Algorithm 1. The same: partial rewards as a forecast of the final ones, a quantile of
// them as the cut at each decision, the best of what is left. What differs: there the first batch
// is as large as the memory allows and a decision falls due when it is full, so both follow from
// the machine; here N and the tokens between decisions are given, and an answer is the same on
// every machine. A response that ended is neither counted in the cut nor given up by it.
//
// KL to the proposal is at most log N - (N - 1) / N, as for any choice among N draws
// (selection_bound in drawing.hpp).
#pragma once

#include "transferq/decode/decoder.hpp"
#include "transferq/decode/plain.hpp"

namespace tq {

struct SpeculativeRejectionOptions {
  std::size_t samples = 16;  // N
  double rate = 0.5;         // the share given up at each decision, 0 <= rate < 1
  std::size_t chunk = 10;    // tokens from one decision to the next
  Proposal proposal = Proposal::baseline;
};

class SpeculativeRejectionDecoder final : public Decoder {
 public:
  explicit SpeculativeRejectionDecoder(SpeculativeRejectionOptions options) : options_(options) {}
  Decoded decode(const DecodeTask& task, Evaluations& spent) const override;
  Workload workload(std::size_t max_tokens) const override;
  Roles roles() const override { return roles_of(options_.proposal); }
  bool needs_reward() const override { return true; }

 private:
  SpeculativeRejectionOptions options_;
};

// How many of `growing` responses a decision gives up: never all.
std::size_t given_up(std::size_t growing, double rate);

}  // namespace tq
