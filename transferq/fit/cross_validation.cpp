#include "transferq/fit/cross_validation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "transferq/core/error.hpp"
#include "transferq/eval/parallel.hpp"
#include "transferq/fit/split.hpp"

namespace tq {
namespace {

// Sums over the units of a fold, one a strength.
struct Sums {
  std::vector<double> loss, right;
};

}  // namespace

std::vector<double> default_l2() {
  std::vector<double> out;
  for (int half = 2; half >= -8; --half) out.push_back(std::pow(10.0, half / 2.0));
  return out;
}

CrossValidation cross_validate(std::span<const FeatureSet* const> sets,
                               std::span<const std::size_t> units, Loss loss,
                               std::span<const double> l2, std::size_t folds, std::uint64_t seed,
                               std::size_t threads) {
  std::vector<std::string> groups;
  for (const std::size_t unit : units) groups.push_back(sets.front()->groups[unit]);
  const std::size_t different = std::set<std::string>(groups.begin(), groups.end()).size();
  if (folds < 2 || different < folds) {
    throw Error(ErrorKind::input,
                fmt::format("{} folds need as many different prompts or texts, and there are {}; "
                            "give more data or fewer --folds (at least 2)",
                            folds, different));
  }
  const std::vector<std::size_t> fold =
      deal_folds(groups, folds, {.seed = seed, .step = kFoldDraw});
  std::vector<Sums> sums(sets.size() * folds);
  const auto run = [&](std::size_t task) {
    const FeatureSet& set = *sets[task / folds];
    std::vector<std::size_t> others, left_out;
    for (std::size_t i = 0; i < units.size(); ++i) {
      (fold[i] == task % folds ? left_out : others).push_back(units[i]);
    }
    const std::vector<LinearMap> maps = fit_path(set, others, loss, l2);
    Sums& out = sums[task];
    for (const LinearMap& map : maps) {
      double total = 0, right = 0;
      for (const std::size_t unit : left_out) {
        const Verdict verdict = judge(set, unit, loss, map);
        total += verdict.loss;
        right += verdict.right ? 1 : 0;
      }
      out.loss.push_back(total);
      out.right.push_back(right);
    }
  };
  run_parallel(sums.size(), std::max<std::size_t>(1, std::min(threads, sums.size())), {},
               [&](std::size_t) { return run; });

  CrossValidation out;
  for (std::size_t s = 0; s < sets.size(); ++s) {
    for (std::size_t i = 0; i < l2.size(); ++i) {
      Trial trial{s, l2[i], 0, 0};
      for (std::size_t f = 0; f < folds; ++f) {
        trial.loss += sums[s * folds + f].loss[i];
        trial.accuracy += sums[s * folds + f].right[i];
      }
      trial.loss /= static_cast<double>(units.size());
      trial.accuracy /= static_cast<double>(units.size());
      out.trials.push_back(trial);
    }
  }
  const auto best =
      std::min_element(out.trials.begin(), out.trials.end(),
                       [](const Trial& a, const Trial& b) { return a.loss < b.loss; });
  out.best = static_cast<std::size_t>(best - out.trials.begin());
  return out;
}

}  // namespace tq
