// The direction in which positive and negative states of a layer differ. With d_i the difference
// (positive - negative) of pair i and m their mean,
//
//   mean   m
//   pca    the part of m along the first principal axis e of the differences, (m . e) e, where e
//          maximises sum_i (d_i . e)^2 (Zou et al., arXiv 2310.01405, section 3.1.1, and repeng's
//          pca_center: each pair's states around the pair's own centre). Its sign is the mean's:
//          positive is positive.
//
// Pure functions.
#pragma once

#include <vector>

#include "transferq/fit/linear_fit.hpp"

namespace tq {

enum class DirectionMethod { mean, pca };

struct Direction {
  std::vector<float> values;  // [width]
  double length = 0;
  double agreement = 0;  // the share of pairs whose difference points its way
};

// Throws Error (input) when there is no row, or one is not finite.
Direction find_direction(const FeatureMatrix& differences, DirectionMethod method);

}  // namespace tq
