// Fits linear rewards on features: standardises them, minimises the loss for each strength of the
// penalty, and folds the scaling into the weights, so that a map is applied to features as they
// come. Pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace tq {

// One feature a row.
struct FeatureMatrix {
  std::size_t columns = 0;
  std::vector<float> values;  // [rows x columns]
  std::span<const float> row(std::size_t i) const {
    return std::span(values).subspan(i * columns, columns);
  }
};

// Features of units: unit i has row i, or, of pairs, rows 2i (chosen) and 2i + 1 (rejected).
struct FeatureSet {
  bool pairs = false;
  FeatureMatrix features;
  std::vector<int> labels;          // 0 or 1, one a unit
  std::vector<std::string> groups;  // one a unit; see split.hpp
  std::size_t units() const { return labels.size(); }
};

enum class Loss {
  pairwise,  // Bradley-Terry: chosen above rejected
  logistic,  // label 1 above 0, label 0 below; of pairs, chosen is 1 and rejected 0
};

struct LinearMap {
  std::vector<float> weights;  // as a head file holds them
  double bias = 0;
  double operator()(std::span<const float> feature) const;
};

// One map for each strength of `l2` (best in falling order: each fit starts from the one before),
// fitted on the units named. The features are scaled to mean 0 and deviation 1 over their
// responses; a feature that never varies gets no weight. Of pairs under the pairwise loss, the bias
// makes their mean reward 0. Throws Error (input) when a feature is not finite, or the units are of
// one class only.
std::vector<LinearMap> fit_path(const FeatureSet& set, std::span<const std::size_t> units,
                                Loss loss, std::span<const double> l2);

// How a map does on one unit.
struct Verdict {
  bool right = false;  // chosen above rejected; or the reward's sign is the label's
  double loss = 0;     // log loss of the margin, as the map's own loss has it
};
Verdict judge(const FeatureSet& set, std::size_t unit, Loss loss, const LinearMap& map);

}  // namespace tq
