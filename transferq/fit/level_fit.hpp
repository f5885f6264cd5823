// Fits the distribution of the reward of roll-outs over levels, as a categorical head on the state:
//   f(W, c) = -1/n sum_i log softmax(W h_i + c)[l_i] + l2/2 |W|^2,
// l_i being the level of the i-th value, on features scaled to mean 0 and deviation 1; the scaling
// is folded into W and c. Levels hold about as many values each and stand for their mean.
// Source of the idea: Zhou et al., "Q#", arXiv 2502.20548, section 3.
// Pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "transferq/fit/linear_fit.hpp"

namespace tq {

struct LevelProblem {
  std::size_t columns = 0;  // of the features
  std::size_t levels = 0;
  std::vector<double> rows;          // [n x columns]
  std::vector<std::size_t> targets;  // [n] levels
  double l2 = 1;
};

// f at `point`, which is W, [levels x columns], and c behind it; its gradient goes to `gradient`.
double level_objective(const LevelProblem& problem, std::span<const double> point,
                       std::span<double> gradient);

struct LevelHead {
  std::vector<float> levels;   // rewards, rising
  std::vector<float> biases;   // [levels]
  std::vector<float> weights;  // [levels x columns]
};

// Fits `levels` levels, or as many as the values have different ones. `values` has one number a
// row. Throws Error (input) when it does not converge.
LevelHead fit_levels(const FeatureMatrix& states, std::span<const double> values,
                     std::span<const std::size_t> rows, std::size_t levels, double l2);

// Mean log loss of the levels that these rows' values are nearest to.
double level_loss(const LevelHead& head, const FeatureMatrix& states,
                  std::span<const double> values, std::span<const std::size_t> rows);

}  // namespace tq
