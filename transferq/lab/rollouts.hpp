// What becomes of the exact methods when values are estimated from N roll-outs a candidate, as the
// decoders on real models do.
//
// Draws are keyed by (seed, node, repeat, roll-out), so the same seed gives the same numbers.
// Thread-safety: pure functions.
#pragma once

#include <cstdint>

#include "transferq/lab/world.hpp"

namespace tq::lab {

enum class Transfer {
  direct,    // Q = mean of r
  indirect,  // Q = sum w r / sum w, w = exp((r - r_BL)/beta)
  soft,      // pi proportional to pi_prop mean of w
};

struct Estimation {
  std::size_t rollouts = 1;   // N, a candidate
  std::size_t repeats = 100;  // draws of the N that are averaged
  std::uint64_t seed = 0;
};

struct RolledLaw {
  Law law;
  double kl = 0;  // sum_t E[KL(pi_hat||pi_sft)]: of each step's law as its roll-outs made it
};

// The law of decoding with N roll-outs by `roller`: at each state E[pi_hat(z|s)] over the roll-outs
// (they are drawn anew at each step, so states are independent), estimated by the mean of
// `repeats` draws. All tokens of the proposal that are not minus infinity are candidates. As
// E[KL(pi_hat||pi_sft)] >= KL(E[pi_hat]||pi_sft), decoders, which know one draw, report more KL
// than their law has.
RolledLaw law_of_rollouts(const World& world, const Law& proposal, const Law& roller,
                          Transfer transfer, const Estimation& how);

// How far N roll-outs are from the values `truth`, as the root mean square over the first token's
// candidates (those that end the response are known, and left out; 0 where all do). For direct
// transfer it is exact, sqrt(bias^2 + Var[r]/N); for indirect transfer the mean over `repeats`.
double value_error(const World& world, const Law& roller, Transfer transfer, const Values& truth,
                   const Estimation& how);

}  // namespace tq::lab
