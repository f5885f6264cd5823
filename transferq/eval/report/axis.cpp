#include "transferq/eval/report/axis.hpp"

#include <algorithm>
#include <cmath>

namespace tq::report {

double Axis::at(double value) const {
  const auto f = [&](double v) { return log ? std::log10(v) : v; };
  const double span = f(high) - f(low);
  return from + (to - from) * (span > 0 ? (f(value) - f(low)) / span : 0.5);
}

// Widens a range so that nothing lies on the frame; a range of no width gets one.
std::pair<double, double> padded(double low, double high, double share) {
  const double span = high - low;
  const double pad = span > 0 ? share * span : std::max(0.5, std::abs(low) * 0.1);
  return {low - pad, high + pad};
}

std::vector<double> ticks(double low, double high, std::size_t count) {
  const double span = high - low;
  if (!(span > 0) || count == 0) return {};
  const double raw = span / static_cast<double>(count);
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double share = raw / power;
  const double step = power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
  std::vector<double> out;
  for (double k = std::ceil(low / step); k * step <= high + 1e-9 * span; ++k) {
    out.push_back(k == 0 ? 0 : k * step);
  }
  return out;
}

std::vector<double> log_ticks(double low, double high, std::size_t count) {
  std::vector<double> all, decades;
  if (!(low > 0) || !(high > low)) return {};
  for (int e = static_cast<int>(std::floor(std::log10(low))); e <= std::log10(high); ++e) {
    for (const int digit : {1, 2, 5}) {
      const double tick = digit * std::pow(10, e);
      if (tick < low || tick > high) continue;
      all.push_back(tick);
      if (digit == 1) decades.push_back(tick);
    }
  }
  return all.size() <= count || decades.size() < 2 ? all : decades;
}

}  // namespace tq::report
