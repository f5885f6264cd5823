// Soft transfer: the candidate's share in the policy aligned to r at strength beta, of which
//   pi(z|s) ~ pi_BL(z|s) E_{rho_BL(.|s,z)}[ w ],   w = exp((r - r_BL) / beta)   (importance.hpp)
// is the next-token law: with exact expectations, no truncation and draws from pi, responses come
// from rho_sft exp(r/beta) / Z, the optimum of E[r] - beta KL(. || rho_sft). As a value,
//   V(s, z) = beta log E[w],   so that   pi ~ pi_BL exp(V / beta):
// a decoder takes beta for its alpha, and the baseline for its proposal. V is known up to a
// constant of the state; with r_BL = 0 it is the soft Q-function of the reference.
//
// With a power t < 1 (WeightOptions) it is V = (beta/t) log E[w^t], which goes down to the mean of
// r - r_BL as t goes to 0: lower than V, the more so the more the roll-outs of a candidate differ.
#pragma once

#include "transferq/value/importance.hpp"

namespace tq {

class Soft final : public Valuation {
 public:
  // beta > 0, finite.
  explicit Soft(double beta, WeightOptions options = {}) : beta_(beta), options_(options) {}
  Valued value(const Evidence& evidence) const override;
  bool reads_baseline_reward() const override { return true; }

 private:
  double beta_;
  WeightOptions options_;
};

}  // namespace tq
