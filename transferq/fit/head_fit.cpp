#include "transferq/fit/head_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "transferq/core/error.hpp"
#include "transferq/fit/split.hpp"

namespace tq {
namespace {

Proportion accuracy_on(const FeatureSet& set, std::span<const std::size_t> units, Loss loss,
                       const LinearMap& map) {
  std::size_t right = 0;
  for (const std::size_t unit : units) right += judge(set, unit, loss, map).right ? 1 : 0;
  return wilson(right, units.size());
}

Calibration calibrate(const FeatureSet& set, std::span<const std::size_t> units,
                      const LinearMap& map) {
  std::vector<double> rewards;
  for (const std::size_t unit : units) {
    const std::size_t each = set.pairs ? 2 : 1;
    for (std::size_t r = 0; r < each; ++r)
      rewards.push_back(map(set.features.row(unit * each + r)));
  }
  Calibration out;
  const auto n = static_cast<double>(rewards.size());
  for (const double reward : rewards) out.mean += reward / n;
  double squares = 0;
  for (const double reward : rewards) squares += (reward - out.mean) * (reward - out.mean) / n;
  out.spread = std::sqrt(squares);
  const auto [low, high] = std::minmax_element(rewards.begin(), rewards.end());
  out.low = *low;
  out.high = *high;
  return out;
}

bool both_classes(const FeatureSet& set, std::span<const std::size_t> units) {
  const auto of = [&](int label) {
    return std::any_of(units.begin(), units.end(),
                       [&](std::size_t unit) { return set.labels[unit] == label; });
  };
  return set.pairs || (of(0) && of(1));
}

std::vector<CurvePoint> learning_curve(const FeatureSet& set, const Split& split,
                                       const FitResult& result, const FitOptions& options) {
  std::vector<std::string> groups;
  for (const std::size_t unit : split.training) groups.push_back(set.groups[unit]);
  const auto order = shuffled_groups(groups, {.seed = options.seed, .step = kCurveDraw});
  std::vector<CurvePoint> curve;
  for (const double part : {0.125, 0.25, 0.5}) {
    std::vector<std::size_t> units;
    const std::size_t count = whole_groups(order, groups, part);
    for (std::size_t i = 0; i < count; ++i) units.push_back(split.training[order[i]]);
    if (units.size() < kFewestUnits || !both_classes(set, units)) continue;
    // The penalty of a whole set of n units is n l2: the same prior needs more of it for fewer.
    const std::array l2{result.l2 * static_cast<double>(split.training.size()) /
                        static_cast<double>(units.size())};
    const LinearMap map = fit_path(set, units, options.loss, l2).front();
    curve.push_back({units.size(), accuracy_on(set, split.held_out, options.loss, map)});
  }
  curve.push_back({split.training.size(), result.accuracy});
  return curve;
}

void check_size(const Split& split) {
  if (split.training.size() < kFewestUnits || split.held_out.size() < 2) {
    throw Error(ErrorKind::input,
                fmt::format("{} examples to fit on and {} to test on are too few; a head needs at "
                            "least {} and 2",
                            split.training.size(), split.held_out.size(), kFewestUnits));
  }
}

}  // namespace

Split hold_out(const std::vector<std::string>& groups, double fraction, std::uint64_t seed) {
  const auto order = shuffled_groups(groups, {.seed = seed, .step = kHoldoutDraw});
  const std::size_t count = order.empty() ? 0 : whole_groups(order, groups, fraction);
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(count);
  Split split{{middle, order.end()}, {order.begin(), middle}};
  std::sort(split.training.begin(), split.training.end());
  std::sort(split.held_out.begin(), split.held_out.end());
  check_size(split);
  return split;
}

FitResult fit_head(std::span<const FeatureSet* const> sets, const Split& split,
                   const FitOptions& options) {
  check_size(split);
  if (!both_classes(*sets.front(), split.training)) {
    throw Error(ErrorKind::input,
                "all labels to be fitted on are the same; a head needs texts of "
                "both classes, 0 and 1");
  }
  FitResult result;
  const std::vector<double> grid = options.l2 ? std::vector{*options.l2} : default_l2();
  if (grid.size() > 1 || sets.size() > 1) {
    CrossValidation choice = cross_validate(sets, split.training, options.loss, grid, options.folds,
                                            options.seed, options.threads);
    result.set = choice.trials[choice.best].set;
    result.l2 = choice.trials[choice.best].l2;
    result.trials = std::move(choice.trials);
  } else {
    result.l2 = grid.front();
  }
  const FeatureSet& set = *sets[result.set];
  const std::array l2{result.l2};
  result.map = fit_path(set, split.training, options.loss, l2).front();
  result.accuracy = accuracy_on(set, split.held_out, options.loss, result.map);
  result.calibration = calibrate(set, split.held_out, result.map);
  result.curve = learning_curve(set, split, result, options);
  return result;
}

}  // namespace tq
