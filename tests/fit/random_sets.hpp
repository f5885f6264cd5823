// Features drawn at random, whose labels follow a direction that the tests know.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "transferq/core/random.hpp"
#include "transferq/fit/linear_fit.hpp"

namespace tq::testing {

inline double normal(RandomKey key) {
  const double u = 1 - uniform(key);
  key.sample += 1;
  return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * uniform(key));
}

// Feature 0 is what counts, the others are noise; `noise` blurs the labels. Odd scales and offsets
// are undone by a fit that standardises.
inline FeatureSet random_set(bool pairs, std::size_t units, std::size_t columns, double noise,
                             std::uint64_t seed = 1) {
  FeatureSet set;
  set.pairs = pairs;
  set.features.columns = columns;
  for (std::uint32_t i = 0; i < units; ++i) {
    std::vector<std::vector<float>> rows;
    std::vector<double> worth;
    for (std::uint32_t r = 0; r < (pairs ? 2U : 1U); ++r) {
      std::vector<float> row;
      for (std::uint32_t j = 0; j < columns; ++j) {
        const double x = normal({.seed = seed, .step = i, .candidate = r, .position = j});
        row.push_back(static_cast<float>(x * (1 + j) + 5.0 * j));
      }
      worth.push_back(row[0] +
                      noise * normal({.seed = seed, .step = i, .candidate = r, .position = 1000}));
      rows.push_back(row);
    }
    if (pairs && worth[0] < worth[1]) std::swap(rows[0], rows[1]);
    for (const auto& row : rows) {
      set.features.values.insert(set.features.values.end(), row.begin(), row.end());
    }
    set.labels.push_back(pairs || worth[0] > 0 ? 1 : 0);
    set.groups.push_back(std::to_string(i));
  }
  return set;
}

}  // namespace tq::testing
