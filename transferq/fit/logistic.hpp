// Logistic loss with L2, minimised by L-BFGS (liblbfgs, after Nocedal's algorithm):
//
//   f(w, b) = 1/n sum_i log(1 + exp(-(w . x_i + b) t_i)) + l2/2 |w|^2,  t_i = +1 or -1
//
// The bias is free of the penalty, and left out where there is none. With x = chosen - rejected,
// t = +1 and no bias it is the Bradley-Terry loss of pairs (Bradley and Terry, Biometrika 39,
// 1952). Pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tq {

struct LogisticProblem {
  std::size_t columns = 0;
  std::vector<double> rows;     // [n x columns], one after the other
  std::vector<double> targets;  // [n], +1 or -1
  bool bias = true;
  double l2 = 1;
};

// f at `point`, which is w and, where there is one, b behind it; its gradient goes to `gradient`.
double logistic_objective(const LogisticProblem& problem, std::span<const double> point,
                          std::span<double> gradient);

// The minimum, found from `start` (empty: zeros). Throws Error (input) when it does not converge,
// which finite rows and l2 > 0 do not bring about.
std::vector<double> minimise_logistic(const LogisticProblem& problem, std::vector<double> start);

}  // namespace tq
