// The tokens of a proposal that are no candidates, as one more candidate: what a law over the whole
// vocabulary needs when only a few tokens are valued. Leaving them out costs -log(mass of the
// candidates) nats at every step, before any tilt; with them, an infinite alpha is the proposal
// itself, at no cost where that is the reference. Their value is the mean of the candidates' under
// the proposal, the best guess without a roll-out.
//
// Pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tq {

struct Tail {
  double logprob;  // of all of them together; minus infinity where there are none
  // What stands for their reference log-probability in KL(pi || pi_ref) = sum_i pi_i (log pi_i -
  // ref_i), exactly: within the tail tokens keep the proposal's proportions q(z), so
  // ref = -sum_z q(z) log(q(z) / pi_ref(z)).
  double reference;
};

// `proposed` and `reference` are log-probabilities over the vocabulary.
Tail tail_of(std::span<const double> proposed, std::span<const double> reference,
             std::span<const std::size_t> candidates);

// The tail's token drawn by u in [0, 1).
std::size_t draw_tail(std::span<const double> proposed, std::span<const std::size_t> candidates,
                      double u);

// sum_z pi_prop(z) Q(z) / sum_z pi_prop(z) over the candidates.
double mean_value(std::span<const double> log_probabilities, std::span<const double> values);

}  // namespace tq
