// A gate before the candidates are valued: one that is far less probable than the likeliest token
// is none (min-p; Nguyen et al., "Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM
// Outputs", ICLR 2025, arXiv 2407.01082). It spares the roll-outs of tokens that would spoil the
// text, and where the proposal is sure it leaves one candidate, which needs none.
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

}  // namespace tq
