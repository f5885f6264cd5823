// Minimises a smooth function by L-BFGS (liblbfgs, after Nocedal's algorithm).
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace tq {

// The function's value at a point; its gradient goes to the second span.
using Objective = std::function<double(std::span<const double>, std::span<double>)>;

// The point where the search from `start` ends. Throws Error (input) when it does not converge.
std::vector<double> minimise(const Objective& objective, const std::vector<double>& start);

}  // namespace tq
