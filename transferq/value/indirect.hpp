// Indirect transfer: the direct value under the policy aligned to r at strength beta, estimated
// from the roll-outs of a baseline that was aligned to another reward, by self-normalised
// importance weights (importance.hpp),
//   Q(s, z) = E_{rho_BL}[ w r ] / E_{rho_BL}[ w ],   w = exp((r - r_BL) / beta)
// (Transfer Q*, section 3.2). With one roll-out a candidate the weights cancel, and it is direct
// transfer; the bias of self-normalisation falls as 1/N with N roll-outs.
#pragma once

#include "transferq/value/importance.hpp"

namespace tq {

class Indirect final : public Valuation {
 public:
  // beta > 0, finite.
  explicit Indirect(double beta, WeightOptions options = {}) : beta_(beta), options_(options) {}
  Valued value(const Evidence& evidence) const override;
  bool reads_baseline_reward() const override { return true; }

 private:
  double beta_;
  WeightOptions options_;
};

}  // namespace tq
