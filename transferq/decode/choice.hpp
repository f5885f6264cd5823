// Decisions as pure functions: from a proposal and values to a distribution, and from a
// distribution to a choice.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tq {

// gumbel draws by the law of sample, and spares candidates that can't win (gumbel.hpp).
enum class Choose { sample, greedy, gumbel };

// How a step chooses that has no roll-outs where others have: by the values of the text so far, or
// plainly, by the proposal alone.
enum class Elsewhere { text, plain };

// The k most probable tokens of a distribution, most probable first, ties to the lower token.
// Tokens of probability zero are no candidates, so there may be fewer than k.
std::vector<std::size_t> candidates(std::span<const double> log_probabilities, std::size_t k);

// pi(z|s) proportional to pi_prop(z|s) exp(Q(s,z) / alpha), normalised over the candidates
// (Transfer Q*, Algorithm 1). alpha > 0; infinity gives the proposal itself. Any finite values and
// alphas give finite probabilities.
std::vector<double> reweight(std::span<const double> log_probabilities,
                             std::span<const double> values, double alpha);

// The index drawn by u in [0, 1), or, greedily, the most probable one (ties to the lower index).
std::size_t choose(std::span<const double> probabilities, Choose how, double u);

// KL(pi || pi_ref) in nats over the candidates: sum_z pi(z) (log pi(z) - log pi_ref(z)).
double kl_divergence(std::span<const double> probabilities,
                     std::span<const double> reference_log_probabilities);

}  // namespace tq
