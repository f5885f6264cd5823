// What is computed of policies on a tree, by one pass over it each. All of it in log space: rewards
// of +-1e4 over temperatures of 1e-6 give neither NaN nor infinity.
//
// Thread-safety: pure functions.
#pragma once

#include "transferq/lab/tree.hpp"

namespace tq::lab {

// log-probabilities of unnormalised log-weights, in place; they sum to 1 to the last digits
// whatever the size of the weights. All minus infinity: as they are.
void normalise(std::vector<double>& log_weights);

// log rho(prefix) of each node.
Values log_reach(const Tree& tree, const Law& law);

// E_law[leaf value | node]: the value of each prefix when `law` goes on from it. V(s) = sum_z
// law(z|s) V(sz). Only leaves of `at_leaves` are read.
Values expected(const Tree& tree, const Law& law, const Values& at_leaves);

// log E_law[exp(leaf value) | node], likewise.
Values log_expected(const Tree& tree, const Law& law, const Values& at_leaves);

// law(z|s) proportional to proposal(z|s) exp(weight(sz) / temperature), normalised over z. A
// temperature of infinity gives the proposal.
Law tilted(const Tree& tree, const Law& proposal, const Values& weights, double temperature = 1);

// The policy whose joint law over responses is proportional to law(y) exp(log_weight(y)): with
// log_weight = r / beta and law = rho_sft, the optimum of E[r] - beta KL(.||rho_sft)
// (Rafailov et al., Direct Preference Optimization, NeurIPS 2023, equation 4).
Law tilted_jointly(const Tree& tree, const Law& law, const Values& log_weights);

// All but the k likeliest tokens of each state left out (minus infinity); not normalised. Ties go
// to the lower token.
Law top_candidates(const Tree& tree, const Law& law, std::size_t k);

// The likeliest token of each state, always. Ties go to the lower token.
Law greedy(const Tree& tree, const Law& law);

// KL(p||q) of the joint laws over responses, sum_s rho_p(s) KL(p(.|s)||q(.|s)), in nats.
double kl_divergence(const Tree& tree, const Law& p, const Law& q);

}  // namespace tq::lab
