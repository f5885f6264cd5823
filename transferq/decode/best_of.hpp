// Best-of-N: N responses drawn from the proposal, the one of the highest reward is the answer (ties
// to the first). KL to the proposal is at most log N - (N - 1) / N (Stiennon et al., 2020), which
// is reported as a bound. Where the proposal is not the reference, the drawn response's own
// log-ratio of the two is added to it, which makes it an estimate.
#pragma once

#include "transferq/decode/decoder.hpp"
#include "transferq/decode/plain.hpp"

namespace tq {

class BestOfDecoder final : public Decoder {
 public:
  BestOfDecoder(std::size_t samples, Proposal proposal) : samples_(samples), proposal_(proposal) {}
  Decoded decode(const DecodeTask& task, Evaluations& spent) const override;
  Workload workload(std::size_t max_tokens) const override {
    return {max_tokens, samples_, max_tokens};
  }
  Roles roles() const override { return roles_of(proposal_); }
  bool needs_reward() const override { return true; }

 private:
  std::size_t samples_;
  Proposal proposal_;
};

}  // namespace tq
