#include "transferq/fit/linear_fit.hpp"

#include <cmath>

#include "transferq/core/error.hpp"
#include "transferq/fit/logistic.hpp"

namespace tq {
namespace {

// The rows of a unit in the matrix.
std::pair<std::size_t, std::size_t> rows_of(const FeatureSet& set, std::size_t unit) {
  return set.pairs ? std::pair{2 * unit, 2 * unit + 2} : std::pair{unit, unit + 1};
}

struct Scale {
  std::vector<double> mean, inverse;  // inverse: 1 / deviation; 0 where nothing varies
};

Scale scale_of(const FeatureSet& set, std::span<const std::size_t> units) {
  const std::size_t d = set.features.columns;
  Scale scale{std::vector<double>(d, 0.0), std::vector<double>(d, 0.0)};
  std::vector<double>& squares = scale.inverse;
  double count = 0;
  const auto each_row = [&](const auto& use) {
    for (const std::size_t unit : units) {
      const auto [begin, end] = rows_of(set, unit);
      for (std::size_t r = begin; r < end; ++r) use(set.features.row(r));
    }
  };
  each_row([&](std::span<const float> row) {
    for (std::size_t j = 0; j < d; ++j) scale.mean[j] += double{row[j]};
    ++count;
  });
  for (double& m : scale.mean) m /= count;
  each_row([&](std::span<const float> row) {
    for (std::size_t j = 0; j < d; ++j) {
      const double off = double{row[j]} - scale.mean[j];
      squares[j] += off * off;
    }
  });
  for (std::size_t j = 0; j < d; ++j) {
    if (!std::isfinite(scale.mean[j]) || !std::isfinite(squares[j])) {
      throw Error(ErrorKind::input,
                  "the model gives features that are not finite numbers; use another --model");
    }
    const double deviation = std::sqrt(squares[j] / count);
    // Below a float's rounding of the mean it is noise.
    const bool varies = deviation > 1e-6 * std::abs(scale.mean[j]) && deviation > 0;
    squares[j] = varies ? 1.0 / deviation : 0.0;
  }
  return scale;
}

LogisticProblem problem_of(const FeatureSet& set, std::span<const std::size_t> units, Loss loss,
                           const Scale& scale) {
  const std::size_t d = set.features.columns;
  LogisticProblem problem;
  problem.columns = d;
  problem.bias = loss == Loss::logistic;
  const auto add = [&](std::size_t row, double target) {
    const auto x = set.features.row(row);
    for (std::size_t j = 0; j < d; ++j) {
      problem.rows.push_back((double{x[j]} - scale.mean[j]) * scale.inverse[j]);
    }
    problem.targets.push_back(target);
  };
  for (const std::size_t unit : units) {
    const auto [begin, end] = rows_of(set, unit);
    if (loss == Loss::pairwise) {
      const auto a = set.features.row(begin), b = set.features.row(begin + 1);
      for (std::size_t j = 0; j < d; ++j) {
        problem.rows.push_back((double{a[j]} - double{b[j]}) * scale.inverse[j]);
      }
      problem.targets.push_back(1.0);
    } else if (set.pairs) {
      add(begin, 1.0);
      add(end - 1, -1.0);
    } else {
      add(begin, set.labels[unit] == 1 ? 1.0 : -1.0);
    }
  }
  return problem;
}

void check_classes(const LogisticProblem& problem) {
  std::size_t positive = 0;
  for (const double t : problem.targets) positive += t > 0 ? 1 : 0;
  if (problem.bias && (positive == 0 || positive == problem.targets.size())) {
    throw Error(ErrorKind::input,
                "all labels to be fitted on are the same; a head needs texts of "
                "both classes, 0 and 1");
  }
}

}  // namespace

double LinearMap::operator()(std::span<const float> feature) const {
  double sum = 0;
  for (std::size_t j = 0; j < weights.size(); ++j) sum += double{feature[j]} * double{weights[j]};
  return sum + bias;
}

std::vector<LinearMap> fit_path(const FeatureSet& set, std::span<const std::size_t> units,
                                Loss loss, std::span<const double> l2) {
  if (loss == Loss::pairwise && !set.pairs) {
    throw Error(ErrorKind::usage, "the pairwise loss needs pairs; use --loss logistic");
  }
  const Scale scale = scale_of(set, units);
  LogisticProblem problem = problem_of(set, units, loss, scale);
  check_classes(problem);
  std::vector<LinearMap> maps;
  std::vector<double> point;
  for (const double strength : l2) {
    problem.l2 = strength;
    point = minimise_logistic(problem, std::move(point));
    LinearMap map;
    map.bias = problem.bias ? point.back() : 0.0;
    for (std::size_t j = 0; j < problem.columns; ++j) {
      map.weights.push_back(static_cast<float>(point[j] * scale.inverse[j]));
      map.bias -= double{map.weights.back()} * scale.mean[j];
    }
    map.bias = static_cast<float>(map.bias);  // as the file holds it
    maps.push_back(std::move(map));
  }
  return maps;
}

Verdict judge(const FeatureSet& set, std::size_t unit, Loss loss, const LinearMap& map) {
  const auto softplus = [](double x) {
    return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
  };
  const auto [begin, end] = rows_of(set, unit);
  const double first = map(set.features.row(begin));
  if (!set.pairs) {
    const double margin = set.labels[unit] == 1 ? first : -first;
    return {margin > 0, softplus(-margin)};
  }
  const double second = map(set.features.row(end - 1));
  const double cost =
      loss == Loss::pairwise ? softplus(second - first) : (softplus(-first) + softplus(second)) / 2;
  return {first > second, cost};
}

}  // namespace tq
