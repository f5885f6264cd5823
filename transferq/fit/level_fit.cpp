#include "transferq/fit/level_fit.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "transferq/core/logspace.hpp"
#include "transferq/fit/minimise.hpp"

namespace tq {
namespace {

using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Index index(std::size_t i) { return static_cast<Eigen::Index>(i); }

// The means of runs of sorted values that hold about as many each, rising and different.
std::vector<double> levels_of(std::vector<double> values, std::size_t count) {
  std::sort(values.begin(), values.end());
  std::vector<double> out;
  const std::size_t n = values.size();
  for (std::size_t l = 0; l < count; ++l) {
    const std::size_t begin = l * n / count, end = (l + 1) * n / count;
    if (begin == end) continue;
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += values[i];
    const double mean = sum / static_cast<double>(end - begin);
    if (out.empty() || mean > out.back()) out.push_back(mean);
  }
  return out;
}

template <typename T>
std::size_t nearest(const std::vector<T>& levels, double value) {
  std::size_t best = 0;
  for (std::size_t l = 1; l < levels.size(); ++l) {
    if (std::abs(double{levels[l]} - value) < std::abs(double{levels[best]} - value)) best = l;
  }
  return best;
}

}  // namespace

double level_objective(const LevelProblem& problem, std::span<const double> point,
                       std::span<double> gradient) {
  const Eigen::Index n = index(problem.targets.size()), d = index(problem.columns),
                     m = index(problem.levels);
  const Eigen::Map<const Rows> x(problem.rows.data(), n, d);
  const Eigen::Map<const Rows> w(point.data(), m, d);
  const Eigen::Map<const Eigen::RowVectorXd> c(point.data() + m * d, m);
  Rows p = x * w.transpose();  // logits, then probabilities, then their errors
  p.rowwise() += c;
  double loss = 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    const Eigen::Index target = index(problem.targets[static_cast<std::size_t>(i)]);
    const double top = p.row(i).maxCoeff();
    const double wanted = p(i, target) - top;
    p.row(i) = (p.row(i).array() - top).exp();
    const double sum = p.row(i).sum();
    loss -= wanted - std::log(sum);
    p.row(i) /= sum;
    p(i, target) -= 1;
  }
  const double scale = 1.0 / static_cast<double>(n);
  Eigen::Map<Rows>(gradient.data(), m, d).noalias() = scale * (p.transpose() * x) + problem.l2 * w;
  Eigen::Map<Eigen::RowVectorXd>(gradient.data() + m * d, m) = scale * p.colwise().sum();
  return scale * loss + 0.5 * problem.l2 * w.squaredNorm();
}

LevelHead fit_levels(const FeatureMatrix& states, std::span<const double> values,
                     std::span<const std::size_t> rows, std::size_t levels, double l2) {
  std::vector<double> known;
  for (const std::size_t row : rows) known.push_back(values[row]);
  const std::vector<double> means = levels_of(std::move(known), levels);

  const std::size_t d = states.columns;
  Rows x(index(rows.size()), index(d));
  LevelProblem problem{d, means.size(), {}, {}, l2};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto state = states.row(rows[i]);
    for (std::size_t j = 0; j < d; ++j) x(index(i), index(j)) = double{state[j]};
    problem.targets.push_back(nearest(means, values[rows[i]]));
  }
  const Eigen::RowVectorXd centre = x.colwise().mean();
  x.rowwise() -= centre;
  const Eigen::RowVectorXd deviation =
      (x.colwise().squaredNorm() / static_cast<double>(rows.size())).cwiseSqrt();
  const Eigen::RowVectorXd inverse =
      (deviation.array() > 0).select(deviation.array().inverse(), 0.0).matrix();
  x = x * inverse.asDiagonal();
  problem.rows.assign(x.data(), x.data() + x.size());

  const std::vector<double> point =
      minimise([&](std::span<const double> at,
                   std::span<double> gradient) { return level_objective(problem, at, gradient); },
               std::vector<double>(means.size() * (d + 1), 0.0));
  LevelHead head;
  for (std::size_t l = 0; l < means.size(); ++l) {
    double bias = point[means.size() * d + l];
    for (std::size_t j = 0; j < d; ++j) {
      const double weight = point[l * d + j] * inverse[index(j)];
      head.weights.push_back(static_cast<float>(weight));
      bias -= weight * centre[index(j)];
    }
    head.levels.push_back(static_cast<float>(means[l]));
    head.biases.push_back(static_cast<float>(bias));
  }
  return head;
}

double level_loss(const LevelHead& head, const FeatureMatrix& states,
                  std::span<const double> values, std::span<const std::size_t> rows) {
  const std::size_t d = states.columns;
  double loss = 0;
  for (const std::size_t row : rows) {
    const auto state = states.row(row);
    std::vector<double> logits;
    for (std::size_t l = 0; l < head.levels.size(); ++l) {
      double logit = double{head.biases[l]};
      for (std::size_t j = 0; j < d; ++j)
        logit += double{head.weights[l * d + j]} * double{state[j]};
      logits.push_back(logit);
    }
    loss -= log_softmax(logits)[nearest(head.levels, values[row])];
  }
  return loss / static_cast<double>(rows.size());
}

}  // namespace tq
