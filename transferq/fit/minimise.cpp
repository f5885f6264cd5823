#include "transferq/fit/minimise.hpp"

#include <fmt/format.h>
#include <lbfgs.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <numeric>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

struct FreeLbfgs {
  void operator()(lbfgsfloatval_t* x) const { lbfgs_free(x); }
};

lbfgsfloatval_t evaluate(void* instance, const lbfgsfloatval_t* x, lbfgsfloatval_t* gradient, int n,
                         lbfgsfloatval_t /*step*/) {
  const auto size = static_cast<std::size_t>(n);
  return (*static_cast<const Objective*>(instance))({x, size}, {gradient, size});
}

double norm(const std::vector<double>& x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

}  // namespace

std::vector<double> minimise(const Objective& objective, const std::vector<double>& start) {
  const std::size_t size = start.size();
  const std::unique_ptr<lbfgsfloatval_t, FreeLbfgs> x(lbfgs_malloc(static_cast<int>(size)));
  if (x == nullptr) throw std::bad_alloc();
  std::copy(start.begin(), start.end(), x.get());
  lbfgs_parameter_t parameters;
  lbfgs_parameter_init(&parameters);
  parameters.m = 10;
  parameters.epsilon = 1e-7;  // of the gradient, against the point's own size
  parameters.max_iterations = 2000;
  auto* instance = const_cast<Objective*>(&objective);  // only called
  const int code =
      lbfgs(static_cast<int>(size), x.get(), nullptr, evaluate, nullptr, instance, &parameters);
  std::vector<double> point(x.get(), x.get() + size);
  std::vector<double> gradient(size);
  objective(point, gradient);
  // Where rounding ends the search a little early, what was found is good all the same.
  if (!(norm(gradient) <= 1e-4 * std::max(norm(point), 1.0))) {
    throw Error(
        ErrorKind::input,
        fmt::format("the fit does not converge (L-BFGS code {}); a larger --l2 may help", code));
  }
  return point;
}

}  // namespace tq
