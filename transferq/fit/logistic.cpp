#include "transferq/fit/logistic.hpp"

#include <fmt/format.h>
#include <lbfgs.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <memory>
#include <new>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

using Matrix =
    Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
using Vector = Eigen::Map<const Eigen::VectorXd>;

struct FreeLbfgs {
  void operator()(lbfgsfloatval_t* x) const { lbfgs_free(x); }
};

lbfgsfloatval_t evaluate(void* instance, const lbfgsfloatval_t* x, lbfgsfloatval_t* gradient, int n,
                         lbfgsfloatval_t /*step*/) {
  const auto size = static_cast<std::size_t>(n);
  return logistic_objective(*static_cast<const LogisticProblem*>(instance), {x, size},
                            {gradient, size});
}

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
  const std::size_t size = problem.columns + (problem.bias ? 1 : 0);
  start.resize(size, 0.0);
  const std::unique_ptr<lbfgsfloatval_t, FreeLbfgs> x(lbfgs_malloc(static_cast<int>(size)));
  if (x == nullptr) throw std::bad_alloc();
  std::copy(start.begin(), start.end(), x.get());
  lbfgs_parameter_t parameters;
  lbfgs_parameter_init(&parameters);
  parameters.m = 10;
  parameters.epsilon = 1e-7;  // of the gradient, against the point's own size
  parameters.max_iterations = 2000;
  auto* instance = const_cast<LogisticProblem*>(&problem);  // only read
  const int code =
      lbfgs(static_cast<int>(size), x.get(), nullptr, evaluate, nullptr, instance, &parameters);
  std::vector<double> point(x.get(), x.get() + size);
  std::vector<double> gradient(size);
  logistic_objective(problem, point, gradient);
  // Where rounding ends the search a little early, what was found is good all the same.
  const double slope = Vector(gradient.data(), static_cast<Eigen::Index>(size)).norm();
  const double length = Vector(point.data(), static_cast<Eigen::Index>(size)).norm();
  if (!(slope <= 1e-4 * std::max(length, 1.0))) {
    throw Error(
        ErrorKind::input,
        fmt::format("the fit does not converge (L-BFGS code {}); give a larger --l2", code));
  }
  return point;
}

}  // namespace tq
