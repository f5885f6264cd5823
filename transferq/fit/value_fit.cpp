#include "transferq/fit/value_fit.hpp"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "transferq/core/error.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/fit/cross_validation.hpp"
#include "transferq/fit/split.hpp"

namespace tq {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using FloatRows =
    Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

Eigen::Index index(std::size_t i) { return static_cast<Eigen::Index>(i); }

// The states of a step's candidates, one a row.
FloatRows states_of(const ValueRows& rows, std::size_t step) {
  const std::size_t d = rows.states.columns;
  return {rows.states.values.data() + rows.first[step] * d,
          index(rows.first[step + 1] - rows.first[step]), index(d)};
}

std::span<const double> part_of(const std::vector<double>& values, const ValueRows& rows,
                                std::size_t step) {
  return std::span(values).subspan(rows.first[step], rows.first[step + 1] - rows.first[step]);
}

Vector vector_of(std::span<const double> values) {
  return Eigen::Map<const Vector>(values.data(), index(values.size()));
}

// The sums that a regression within steps needs, of a set of steps. The last of the columns is the
// one-step value where there is one.
struct Moments {
  Matrix products;     // sum x x^T
  Vector targets;      // sum x y
  double squares = 0;  // sum y^2
  double count = 0;
  double freedom = 0;  // rows beyond the steps' means

  explicit Moments(Eigen::Index columns)
      : products(Matrix::Zero(columns, columns)), targets(Vector::Zero(columns)) {}
  // Those of the first columns alone.
  Moments(const Moments& m, Eigen::Index columns)
      : products(m.products.topLeftCorner(columns, columns)),
        targets(m.targets.head(columns)),
        squares(m.squares),
        count(m.count),
        freedom(m.freedom) {}
  Moments& operator+=(const Moments& more) {
    products += more.products;
    targets += more.targets;
    squares += more.squares;
    count += more.count;
    freedom += more.freedom;
    return *this;
  }
  void add(const Matrix& x, const Vector& y) {
    products.noalias() += x.transpose() * x;
    targets.noalias() += x.transpose() * y;
    squares += y.squaredNorm();
    count += static_cast<double>(y.size());
    freedom += static_cast<double>(y.size()) - 1;
  }
  // Mean squared error of weights.
  double loss(const Vector& w) const {
    return (squares - 2 * w.dot(targets) + w.dot(products * w)) / count;
  }
};

Moments moments_of(const ValueRows& rows, std::span<const std::size_t> steps, bool reward) {
  const auto d = index(rows.states.columns);
  Moments out(d + (reward ? 1 : 0));
  for (const std::size_t step : steps) {
    const FloatRows states = states_of(rows, step);
    Matrix x(states.rows(), out.targets.size());
    x.leftCols(d) = states.cast<double>();
    if (reward) x.col(d) = vector_of(part_of(rows.one_step, rows, step));
    Vector y = vector_of(part_of(rows.values, rows, step));
    x.rowwise() -= x.colwise().mean().eval();
    y.array() -= y.mean();
    out.add(x, y);
  }
  if (!out.products.allFinite() || !out.targets.allFinite()) {
    throw Error(ErrorKind::input, "a state or a value is no finite number");
  }
  return out;
}

// A symmetric system; a column of zeros is no hole in it.
Vector solve(Matrix a, const Vector& y) {
  const double least = 1e-12 * a.diagonal().maxCoeff() + 1e-300;
  a.diagonal().array() += least;
  return a.ldlt().solve(y);
}

// The weights of the least error under a penalty on the first `penalised` columns.
Vector ridge(const Moments& m, double l2, Eigen::Index penalised) {
  Matrix a = m.products / m.count;
  const Vector variance = a.diagonal();
  for (Eigen::Index j = 0; j < penalised; ++j) a(j, j) += l2 * variance[j];
  return solve(std::move(a), m.targets / m.count);
}

// The weights w with w . h + b = the one-step value, if there are any.
std::optional<Vector> reward_map(const Moments& m) {
  const Eigen::Index d = m.targets.size() - 1;
  if (d < 1) return std::nullopt;
  const Matrix a = m.products.topLeftCorner(d, d);
  const Vector y = m.products.col(d).head(d);
  const double total = m.products(d, d);
  // With fewer rows than that, anything is linear in the state.
  if (!(total > 0) || m.freedom < 2 * static_cast<double>(d)) return std::nullopt;
  const Vector w = solve(a, y);
  const double missed = total - 2 * w.dot(y) + w.dot(a * w);
  if (missed > 1e-4 * total) return std::nullopt;
  return w;
}

void check_prompts(const ValueRows& rows, std::span<const std::size_t> steps, std::size_t folds) {
  std::set<std::string> prompts;
  for (const std::size_t step : steps) prompts.insert(rows.groups[step]);
  if (folds < 2) {
    throw Error(ErrorKind::usage,
                fmt::format("--folds {} is no cross-validation; give 2 or more", folds));
  }
  if (prompts.size() >= std::max<std::size_t>(folds, 4)) return;
  throw Error(ErrorKind::input,
              fmt::format("{} prompts to fit on are too few for {} folds; log the roll-outs of at "
                          "least 6 prompts, better 50",
                          prompts.size(), folds));
}

// The means over prompts of a number for each step.
std::vector<double> by_prompt(const ValueRows& rows, std::span<const std::size_t> steps,
                              const std::vector<double>& numbers) {
  std::map<std::string, std::pair<double, double>> sums;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    auto& [sum, count] = sums[rows.groups[steps[i]]];
    sum += numbers[i];
    ++count;
  }
  std::vector<double> out;
  for (const auto& [prompt, sum] : sums) out.push_back(sum.first / sum.second);
  return out;
}

std::vector<double> ranks(std::span<const double> x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
  std::vector<double> out(x.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && x[order[end]] == x[order[i]]) ++end;
    const double rank = static_cast<double>(i + end - 1) / 2;
    for (; i < end; ++i) out[order[i]] = rank;
  }
  return out;
}

}  // namespace

double rank_correlation(std::span<const double> a, std::span<const double> b) {
  const std::vector<double> ranks_a = ranks(a), ranks_b = ranks(b);
  Vector x = vector_of(ranks_a), y = vector_of(ranks_b);
  x.array() -= x.mean();
  y.array() -= y.mean();
  const double scale = x.norm() * y.norm();
  return scale > 0 ? x.dot(y) / scale : 0;
}

ValueFit fit_value(const ValueRows& rows, std::span<const std::size_t> steps,
                   const ValueFitOptions& options) {
  check_prompts(rows, steps, options.folds);
  const auto d = index(rows.states.columns);
  const bool scored = !rows.one_step.empty();
  std::vector<std::string> groups;
  for (const std::size_t step : steps) groups.push_back(rows.groups[step]);
  const std::vector<std::size_t> fold =
      deal_folds(groups, options.folds, {.seed = options.seed, .step = kFoldDraw});
  std::vector<Moments> parts;
  for (std::size_t f = 0; f < options.folds; ++f) {
    std::vector<std::size_t> members;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (fold[i] == f) members.push_back(steps[i]);
    }
    parts.push_back(moments_of(rows, members, scored));
  }
  Moments all(d + (scored ? 1 : 0));
  for (const Moments& part : parts) all += part;

  ValueFit out;
  const std::optional<Vector> reward = scored ? reward_map(all) : std::nullopt;
  out.from_reward = reward.has_value();
  // Without the reward's column, where it can't be written in terms of the state.
  const Eigen::Index columns = d + (reward ? 1 : 0);
  const Moments used(all, columns);

  const std::vector<double> grid = options.l2 ? std::vector{*options.l2} : default_l2();
  for (const double l2 : grid) {
    double loss = 0;
    for (std::size_t f = 0; f < parts.size(); ++f) {
      Moments others(columns);
      for (std::size_t g = 0; g < parts.size(); ++g) {
        if (g != f) others += Moments(parts[g], columns);
      }
      const Moments left_out(parts[f], columns);
      loss += left_out.loss(ridge(others, l2, d)) * left_out.count;
    }
    out.trials.push_back({l2, loss / used.count});
  }
  out.l2 = std::min_element(out.trials.begin(), out.trials.end(), [](const auto& a, const auto& b) {
             return a.loss < b.loss;
           })->l2;
  const Vector solved = ridge(used, out.l2, d);
  Vector w = solved.head(d);
  if (reward) w += solved[d] * *reward;
  out.mean.weights.resize(rows.states.columns);
  for (Eigen::Index j = 0; j < d; ++j) {
    out.mean.weights[static_cast<std::size_t>(j)] = static_cast<float>(w[j]);
  }
  double off = 0, count = 0;
  for (const std::size_t step : steps) {
    for (std::size_t row = rows.first[step]; row < rows.first[step + 1]; ++row) {
      off += rows.values[row] - out.mean(rows.states.row(row));
      ++count;
    }
  }
  out.mean.bias = off / count;
  return out;
}

ValueCheck check_value(const ValueRows& rows, std::span<const std::size_t> steps,
                       const LinearMap& value, std::uint64_t seed) {
  ValueCheck out;
  out.steps = steps.size();
  std::vector<double> gain, one_step, best, over;
  for (const std::size_t step : steps) {
    const auto q = part_of(rows.values, rows, step);
    const auto logprobs = part_of(rows.logprobs, rows, step);
    std::vector<double> predicted;
    for (std::size_t row = rows.first[step]; row < rows.first[step + 1]; ++row) {
      predicted.push_back(value(rows.states.row(row)));
    }
    const auto rival = rows.one_step.empty() ? logprobs : part_of(rows.one_step, rows, step);
    const double likeliest = q[argmax(logprobs)];
    gain.push_back(q[argmax(predicted)] - likeliest);
    one_step.push_back(q[argmax(rival)] - likeliest);
    best.push_back(q[argmax(q)] - likeliest);
    over.push_back(gain.back() - one_step.back());
    out.correlation += rank_correlation(predicted, q) / static_cast<double>(steps.size());
    out.correlation_one_step += rank_correlation(rival, q) / static_cast<double>(steps.size());
  }
  const auto estimate = [&](const std::vector<double>& numbers) {
    return bootstrap_mean(by_prompt(rows, steps, numbers), seed);
  };
  out.gain = estimate(gain);
  out.gain_one_step = estimate(one_step);
  out.gain_best = estimate(best);
  out.over_one_step = estimate(over);
  out.prompts = out.gain.n;
  return out;
}

}  // namespace tq
