// Distributions over a vocabulary, in log space and in double precision. Pure functions; every tie
// goes to the lower index, so that a result never depends on the order of evaluation.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tq {

// log sum_i exp(x_i), without overflow. Minus infinity for an empty span.
double log_sum_exp(std::span<const double> x);

// x_i - log_sum_exp(x): the log-probabilities of logits x.
std::vector<double> log_softmax(std::span<const double> logits);

// exp(log_softmax(x)).
std::vector<double> softmax(std::span<const double> logits);

// -sum_i p_i log p_i of p = softmax(logits), in nats.
double entropy(std::span<const double> logits);

// The index of the largest element; 0 for an empty span.
std::size_t argmax(std::span<const double> x);
std::size_t argmax(std::span<const float> x);

// The indices of the k largest elements, largest first (all of them if k exceeds the size).
std::vector<std::size_t> top_k(std::span<const double> x, std::size_t k);

// The index drawn by u in [0, 1) from unnormalised log-weights, by inversion in index order. At
// least one weight is above minus infinity.
std::size_t sample(std::span<const double> log_weights, double u);

}  // namespace tq
