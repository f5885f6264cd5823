// From features to a head: chooses pooling and penalty on the training units alone, fits the head
// on them, and measures that very head on the units held out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "transferq/engine/llama/head_file.hpp"
#include "transferq/eval/interval.hpp"
#include "transferq/fit/cross_validation.hpp"

namespace tq {

struct FitOptions {
  Loss loss = Loss::pairwise;
  std::optional<double> l2;  // else chosen by cross-validation
  std::size_t folds = 5;
  std::uint64_t seed = 0;
  std::size_t threads = 1;  // changes nothing but the time
};

// The accuracy of a head fitted on the first part of the training units, in a drawn order.
struct CurvePoint {
  std::size_t fitted = 0;
  Proportion accuracy;
};

struct FitResult {
  std::size_t set = 0;  // which of the feature sets was chosen
  double l2 = 0;
  LinearMap map;
  std::vector<Trial> trials;      // of cross-validation; none where there was nothing to choose
  Proportion accuracy;            // on the units held out
  Calibration calibration;        // of the reward of their responses
  std::vector<CurvePoint> curve;  // at 1/8, 1/4, 1/2 and all; parts of one class or few are missing
};

// The least number of units a head is fitted on.
inline constexpr std::size_t kFewestUnits = 8;

// Training units and others: the last are a share of the whole, groups kept together, drawn by the
// seed. Throws Error (input) when either part would be too small.
struct Split {
  std::vector<std::size_t> training, held_out;
};
Split hold_out(const std::vector<std::string>& groups, double fraction, std::uint64_t seed);

// The sets hold the same units in other features. Deterministic. Throws Error (input) for fewer
// training units than kFewestUnits, one class only, or features that are not finite.
FitResult fit_head(std::span<const FeatureSet* const> sets, const Split& split,
                   const FitOptions& options);

}  // namespace tq
