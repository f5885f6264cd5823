// Chooses pooling and strength of the penalty by K-fold cross-validation: the mean log loss on the
// fold left out. Only the units given are looked at, so what is held out has no part in it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "transferq/fit/linear_fit.hpp"

namespace tq {

// How a choice did on the folds left out.
struct Trial {
  std::size_t set = 0;  // which of the feature sets
  double l2 = 0;
  double loss = 0;      // mean log loss
  double accuracy = 0;  // share of units that are right
};

struct CrossValidation {
  std::vector<Trial> trials;  // set by set, l2 as given
  std::size_t best = 0;       // the least loss; the first of equals
};

// 10, 10^0.5, 1, ... 10^-4: from a head that hardly learns to one that hardly is held back.
std::vector<double> default_l2();

// The sets hold the same units in other features. The result does not depend on `threads`. Throws
// Error (input) where there are fewer groups than folds, or a fold leaves one class only.
CrossValidation cross_validate(std::span<const FeatureSet* const> sets,
                               std::span<const std::size_t> units, Loss loss,
                               std::span<const double> l2, std::size_t folds, std::uint64_t seed,
                               std::size_t threads);

}  // namespace tq
