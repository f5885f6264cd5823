// A gate before the candidates are valued: one that is far less probable than the likeliest token
// is none (min-p; Nguyen et al., "Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM
// Outputs", ICLR 2025, arXiv 2407.01082). It spares the roll-outs of tokens that would spoil the
// text, and where the proposal is sure it leaves one candidate, which needs none.
//
// Bounds make an exact gate of it. If all rewards lie in [low, high], so do the values that are
// means of them, weighted or not, and the greedy choice maximises log p(z) + Q(z) / alpha. What the
// likeliest token z1 has is at least log p(z1) + low / alpha, what another has at most
// log p(z) + high / alpha: where
//   p(z) < p(z1) exp(-(high - low) / alpha)
// z can neither win nor tie, whatever is rolled out.
//
// Pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tq {

// Those of `candidates`, most probable first, that have at least `min_p` times the probability of
// the first: p(z) >= min_p max p. The first one always passes; 0 lets all pass.
std::vector<std::size_t> pass_gate(std::span<const double> log_probabilities,
                                   std::vector<std::size_t> candidates, double min_p);

// The min_p of bounds: the share below which nothing can win, lowered by more than rounding moves a
// sum. 0 where the rewards have no bounds, or alpha is no number above 0.
double gate_of_bounds(double low, double high, double alpha);

}  // namespace tq
