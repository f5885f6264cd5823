// Each method of decoding, exactly: the value it gives a prefix, and the law that follows.
//
// Thread-safety: pure functions.
#pragma once

#include "transferq/lab/law.hpp"

namespace tq::lab {

// The policy aligned to a reward with strength beta: argmax E[r] - beta KL(.||sft), that is
// rho(y) proportional to rho_sft(y) exp(r(y)/beta).
Law aligned(const Tree& tree, const Law& sft, const Values& reward, double beta);

// pi(z|s) proportional to proposal(z|s) exp(Q(sz)/alpha) over the k likeliest tokens of the
// proposal (Transfer Q*, Algorithm 1); k >= the vocabulary: over all. alpha = infinity gives the
// proposal.
Law by_value(const Tree& tree, const Law& proposal, const Values& q, double alpha, std::size_t k);

// Q(s) = E_{rho_BL}[w r | s] / E_{rho_BL}[w | s], w = exp((r - r_BL)/beta): indirect transfer
// (Transfer Q*, section 3.2), equal to the direct value under the policy aligned to r.
Values indirect_values(const Tree& tree, const Law& baseline, const Values& reward,
                       const Values& baseline_reward, double beta);

// pi(z|s) proportional to pi_BL(z|s) E_{rho_BL}[w | sz]: soft transfer, whose joint law is that of
// the policy aligned to r.
Law soft_transfer(const Tree& tree, const Law& baseline, const Values& reward,
                  const Values& baseline_reward, double beta);

// E_law[r of the prefix `horizon` tokens behind s]: a roll-out that stops there is scored as it is.
// Horizon 0: the reward of the prefix itself, the value of ARGS.
Values values_to_horizon(const Tree& tree, const Law& law, const Values& prefix_reward,
                         std::size_t horizon);

// Of N independent responses the one of highest reward: P(y) = rho(y)/rho(c) (F^N - F_below^N),
// where c is the set of responses of y's reward and F the probability of no greater one. Its law by
// state. Of equal rewards the first drawn wins.
Law best_of(const Tree& tree, const Law& law, const Values& reward, std::size_t n);

}  // namespace tq::lab
