#include "transferq/fit/logistic.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "transferq/fit/minimise.hpp"

namespace tq {
namespace {

using Matrix =
    Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
using Vector = Eigen::Map<const Eigen::VectorXd>;

}  // namespace

double logistic_objective(const LogisticProblem& problem, std::span<const double> point,
                          std::span<double> gradient) {
  const auto n = static_cast<Eigen::Index>(problem.targets.size());
  const auto d = static_cast<Eigen::Index>(problem.columns);
  const Matrix rows(problem.rows.data(), n, d);
  const Vector targets(problem.targets.data(), n);
  const Vector w(point.data(), d);
  const double b = problem.bias ? point.back() : 0.0;
  const Eigen::VectorXd margins = ((rows * w).array() + b).matrix().cwiseProduct(targets);
  // log(1 + exp(-m)) and its derivative -1 / (1 + exp(m)), without overflow.
  double loss = 0;
  Eigen::VectorXd slope(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    const double m = margins[i];
    const double e = std::exp(-std::abs(m));
    loss += std::max(-m, 0.0) + std::log1p(e);
    slope[i] = -targets[i] * (m > 0 ? e : 1.0) / (1.0 + e) / static_cast<double>(n);
  }
  Eigen::Map<Eigen::VectorXd> g(gradient.data(), d);
  g.noalias() = rows.transpose() * slope;
  g += problem.l2 * w;
  if (problem.bias) gradient.back() = slope.sum();
  return loss / static_cast<double>(n) + 0.5 * problem.l2 * w.squaredNorm();
}

std::vector<double> minimise_logistic(const LogisticProblem& problem, std::vector<double> start) {
  start.resize(problem.columns + (problem.bias ? 1 : 0), 0.0);
  return minimise(
      [&](std::span<const double> point, std::span<double> gradient) {
        return logistic_objective(problem, point, gradient);
      },
      start);
}

}  // namespace tq
