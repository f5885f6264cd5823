#include "transferq/eval/report/distribution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "transferq/eval/report/axis.hpp"
#include "transferq/eval/report/svg.hpp"
#include "transferq/eval/report/wording.hpp"

namespace tq::report {
namespace {

using namespace frame;

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

// The outline of a density estimated with a Gaussian kernel (Silverman's rule), mirrored about 0.
std::string violin(const std::vector<double>& values, const Axis& x, double middle, double half,
                   std::size_t run) {
  const double n = static_cast<double>(values.size());
  double mean = 0, square = 0;
  for (const double v : values) mean += v / n;
  for (const double v : values) square += (v - mean) * (v - mean) / n;
  const double span = values.back() - values.front();
  const double width = std::max(0.9 * std::sqrt(square) * std::pow(n, -0.2), 0.01 * span);
  if (width <= 0) return "";
  constexpr int kSteps = 80;
  std::vector<double> density(kSteps + 1);
  for (int i = 0; i <= kSteps; ++i) {
    const double at = values.front() + span * i / kSteps;
    for (const double v : values) density[i] += std::exp(-0.5 * std::pow((at - v) / width, 2));
  }
  const double most = *std::max_element(density.begin(), density.end());
  std::string above, below;
  for (int i = 0; i <= kSteps; ++i) {
    const double px = x.at(values.front() + span * i / kSteps), d = half * density[i] / most;
    above += fmt::format("{}{:.1f} {:.1f}", i == 0 ? "M" : "L", px, middle - d);
    below.insert(0, fmt::format("L{:.1f} {:.1f}", px, middle + d));
  }
  return fmt::format(R"(<path d="{}{}z" class="violin r{}"/>)", above, below, run % 8);
}

}  // namespace

std::string distribution_chart(const Summary& summary) {
  constexpr double kRow = 48;
  std::vector<std::size_t> shown;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (std::size_t i = 0; i < summary.runs.size(); ++i) {
    const std::vector<double>& values = summary.runs[i].reward.values;
    if (values.empty()) continue;
    shown.push_back(i);
    low = std::min(low, values.front());
    high = std::max(high, values.back());
  }
  if (shown.empty()) return "";
  const auto [from, to] = padded(low, high, 0.03);
  const Axis x{from, to, 12, kWidth - 12};
  const double bottom = kTop + kRow * static_cast<double>(shown.size());
  std::string out;
  for (const double t : ticks(from, to, 6)) {
    out += svg::line(x.at(t), kTop, x.at(t), bottom, "grid");
    out += svg::text(x.at(t), bottom + 16, "middle", "tick", fmt::format("{:g}", t));
  }
  out += svg::text(kWidth / 2, bottom + 34, "middle", "axis", "reward of a response");
  for (std::size_t row = 0; row < shown.size(); ++row) {
    const RunSummary& run = summary.runs[shown[row]];
    const std::vector<double>& v = run.reward.values;
    const double middle = kTop + kRow * static_cast<double>(row) + 31;
    out += violin(v, x, middle, 14, shown[row]);
    const double q1 = x.at(quantile(v, 0.25)), q3 = x.at(quantile(v, 0.75));
    out += svg::line(x.at(quantile(v, 0.05)), middle, x.at(quantile(v, 0.95)), middle, "whisker");
    out += fmt::format(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="8" class="box"/>)", q1,
                       middle - 4, std::max(1.0, q3 - q1));
    const double median = x.at(quantile(v, 0.5));
    out += svg::line(median, middle - 7, median, middle + 7, "median");
    out += svg::mark(shown[row], x.at(run.reward.mean->mean), middle);
    out += svg::text(12, middle - 19, "start", "name", run.name);
    out += svg::text(
        kWidth - 12, middle - 19, "end", "tick",
        fmt::format("mean {}, median {}", number(run.reward.mean->mean), number(quantile(v, 0.5))));
  }
  return svg::drawing(kWidth, bottom + 44, "The rewards of each run's responses", out);
}

}  // namespace tq::report
