// Soft best-of-N: N responses drawn from the proposal, one of which is drawn as the answer with
//   w_i proportional to exp(r(x, y_i) / alpha).
// alpha to 0 is best-of-N, infinity the proposal itself; as N grows the law tends to the
// KL-regularised optimum, proportional to rho_prop(y) exp(r(x, y) / alpha), at rate 1/N in KL.
//
// Source: Verdun et al., "Soft Best-of-n Sampling for Model Alignment", ISIT 2025, arXiv
// 2505.03156, which writes lambda for alpha. The same as there; the reward may be any.
//
// KL to the proposal is estimated as the smaller of two: log N - H(w), H the entropy of the drawn
// responses' weights, whose mean is an upper bound (choosing i by w instead of evenly adds that
// much to the law of all N responses and i, and the answer is a function of those); and the bound
// of best-of-N, which holds for any choice among N draws (selection_bound in drawing.hpp). Either
// is no bound taken response by response: with few draws the mean of the smaller may be somewhat
// low.
#pragma once

#include "transferq/decode/decoder.hpp"
#include "transferq/decode/plain.hpp"

namespace tq {

class SoftBestOfDecoder final : public Decoder {
 public:
  SoftBestOfDecoder(std::size_t samples, double alpha, Proposal proposal)
      : samples_(samples), alpha_(alpha), proposal_(proposal) {}
  Decoded decode(const DecodeTask& task, Evaluations& spent) const override;
  Workload workload(std::size_t max_tokens) const override {
    return {max_tokens, samples_, max_tokens};
  }
  Roles roles() const override { return roles_of(proposal_); }
  bool needs_reward() const override { return true; }

 private:
  std::size_t samples_;
  double alpha_;
  Proposal proposal_;
};

}  // namespace tq
