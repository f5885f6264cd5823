// The two guarantees of direct transfer with exact values and the baseline as its proposal
// (Transfer Q*, Theorem 1), each with its terms. With rho* = the optimum of E[r] - beta KL(.||sft),
// which is the baseline aligned to r, y* a best response, and T the longest one:
//
//   max r - E_alg[r]     <=  -beta log rho_sft(y*) - beta KL(rho*||rho_sft)
//                            - alpha sum_t E_alg[KL(pi_alg||pi_BL)]
//   KL(rho_alg||rho_sft) <=  (1/beta + T/alpha) r_max          for 0 <= r <= r_max
//
// A reward with values below 0 is shifted by its least one for the second: r_max is then its range.
// With alpha = infinity both last terms are 0, their limit. Thread-safety: pure functions.
#pragma once

#include "transferq/lab/world.hpp"

namespace tq::lab {

struct Theorem1 {
  // Each as it is subtracted or added.
  double best_response = 0;   // -beta log rho_sft(y*)
  double regularisation = 0;  // beta KL(rho*||rho_sft)
  double decoding = 0;        // alpha sum_t E_alg[KL(pi_alg||pi_BL)]
  double kl_alignment = 0;    // r_max / beta
  double kl_decoding = 0;     // T r_max / alpha

  double suboptimality_bound() const { return best_response - regularisation - decoding; }
  double kl_bound() const { return kl_alignment + kl_decoding; }
};

// `aligned` is rho*, the baseline; `decoder` the law of direct transfer from it.
Theorem1 theorem1(const World& world, const Law& aligned, const Law& decoder);

}  // namespace tq::lab
