#include "transferq/eval/report/charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "transferq/eval/report/svg.hpp"
#include "transferq/eval/report/wording.hpp"

namespace tq::report {
namespace {

constexpr double kWidth = 460, kHeight = 330, kLeft = 52, kRight = 14, kTop = 14, kBottom = 44;

// From data to the drawing.
struct Axis {
  double low, high, from, to;
  bool log = false;
  double at(double value) const {
    const auto f = [&](double v) { return log ? std::log10(v) : v; };
    const double span = f(high) - f(low);
    return from + (to - from) * (span > 0 ? (f(value) - f(low)) / span : 0.5);
  }
};

struct Box {
  double left, top, right, bottom;
  bool meets(const Box& o) const {
    return left < o.right && o.left < right && top < o.bottom && o.top < bottom;
  }
};

struct Dot {
  std::size_t run;
  double cost;
  Estimate reward;
  std::string name;
};

// Widens a range so that nothing lies on the frame; a range of no width gets one.
std::pair<double, double> padded(double low, double high, double share) {
  const double span = high - low;
  const double pad = span > 0 ? share * span : std::max(0.5, std::abs(low) * 0.1);
  return {low - pad, high + pad};
}

// Each name beside its dot, where it hides nothing: the first free place of eight, else the first.
std::string labels(const std::vector<Dot>& dots, const Axis& x, const Axis& y) {
  std::vector<Box> taken;
  for (const Dot& dot : dots) {
    const double px = x.at(dot.cost), py = y.at(dot.reward.mean);
    taken.push_back({px - 7, py - 7, px + 7, py + 7});
    taken.push_back({px - 1, y.at(dot.reward.high), px + 1, y.at(dot.reward.low)});
  }
  std::string out;
  for (const Dot& dot : dots) {
    const double px = x.at(dot.cost), py = y.at(dot.reward.mean), w = svg::width_of(dot.name);
    const std::array<std::pair<double, double>, 10> places{{{px + 10, py + 4},
                                                            {px - 10 - w, py + 4},
                                                            {px + 8, py - 9},
                                                            {px - 8 - w, py - 9},
                                                            {px + 8, py + 18},
                                                            {px - 8 - w, py + 18},
                                                            {px + 8, py - 23},
                                                            {px - 8 - w, py - 23},
                                                            {px + 8, py + 32},
                                                            {px - 8 - w, py + 32}}};
    const auto box = [&](std::pair<double, double> p) {
      return Box{p.first, p.second - 11, p.first + w, p.second + 3};
    };
    const Box frame{kLeft, kTop - 6, kWidth, kHeight - kBottom + 2};
    const auto free = std::find_if(places.begin(), places.end(), [&](const auto& p) {
      const Box b = box(p);
      return b.left >= frame.left && b.right <= frame.right && b.top >= frame.top &&
             b.bottom <= frame.bottom &&
             std::none_of(taken.begin(), taken.end(), [&](const Box& t) { return t.meets(b); });
    });
    auto place = free == places.end() ? places.front() : *free;
    place.first = std::clamp(place.first, 2.0, std::max(2.0, kWidth - w));
    taken.push_back(box(place));
    out += svg::text(place.first, place.second, "start", "name", dot.name);
  }
  return out;
}

std::string grid(const Axis& x, const Axis& y, const std::string& x_title) {
  std::string out;
  const double bottom = kHeight - kBottom;
  for (const double t : ticks(y.low, y.high, 5)) {
    out += svg::line(kLeft, y.at(t), kWidth - kRight, y.at(t), "grid");
    out += svg::text(kLeft - 6, y.at(t) + 4, "end", "tick", fmt::format("{:g}", t));
  }
  for (const double t : x.log ? log_ticks(x.low, x.high, 6) : ticks(x.low, x.high, 6)) {
    out += svg::line(x.at(t), kTop, x.at(t), bottom, "grid");
    out += svg::text(x.at(t), bottom + 16, "middle", "tick", fmt::format("{:g}", t));
  }
  out += svg::text((kLeft + kWidth - kRight) / 2, kHeight - 8, "middle", "axis", x_title);
  return out + svg::text(4, kTop - 2, "start", "axis", "reward");
}

std::string scatter(const std::vector<Dot>& dots, const std::string& x_title, bool log,
                    const std::string& title) {
  if (dots.empty()) return "";
  double x_low = dots.front().cost, x_high = x_low;
  double y_low = dots.front().reward.low, y_high = dots.front().reward.high;
  for (const Dot& dot : dots) {
    x_low = std::min(x_low, dot.cost);
    x_high = std::max(x_high, dot.cost);
    y_low = std::min(y_low, dot.reward.low);
    y_high = std::max(y_high, dot.reward.high);
  }
  const auto [low, high] = padded(y_low, y_high, 0.08);
  Axis x{x_low / 1.6, x_high * 1.6, kLeft, kWidth - kRight, true};
  if (!log) {
    const auto [from, to] = padded(x_low, x_high, 0.06);
    x = {from, to, kLeft, kWidth - kRight};
  }
  const Axis y{low, high, kHeight - kBottom, kTop + 8};
  std::string out = grid(x, y, x_title);
  std::vector<Point> points;
  for (const Dot& dot : dots) points.push_back({dot.cost, dot.reward.mean});
  std::string path;
  for (const std::size_t i : frontier(points)) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x.at(points[i].cost),
                        y.at(points[i].reward));
  }
  out += fmt::format(R"(<path d="{}" class="frontier"/>)", path);
  for (const Dot& dot : dots) {
    const double px = x.at(dot.cost);
    const std::string css = fmt::format("bar s{}", dot.run % 8);
    out += svg::line(px, y.at(dot.reward.low), px, y.at(dot.reward.high), css);
    out += svg::line(px - 4, y.at(dot.reward.low), px + 4, y.at(dot.reward.low), css);
    out += svg::line(px - 4, y.at(dot.reward.high), px + 4, y.at(dot.reward.high), css);
    out += svg::mark(dot.run, px, y.at(dot.reward.mean));
  }
  return svg::drawing(kWidth, kHeight, title, out + labels(dots, x, y));
}

std::vector<Dot> dots_of(const Summary& summary,
                         const std::function<std::optional<double>(const RunSummary&)>& cost) {
  std::vector<Dot> dots;
  for (std::size_t i = 0; i < summary.runs.size(); ++i) {
    const RunSummary& run = summary.runs[i];
    const std::optional<double> c = cost(run);
    if (c && run.reward.mean) dots.push_back({i, *c, *run.reward.mean, run.name});
  }
  return dots;
}

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

std::string cost_chart(const Summary& summary) {
  const auto dots = dots_of(summary, [](const RunSummary& run) -> std::optional<double> {
    return run.evaluations && *run.evaluations > 0 ? run.evaluations : std::nullopt;
  });
  return scatter(dots, "token evaluations for each token (log)", true,
                 "Reward against token evaluations, with 95% intervals and the frontier");
}

std::string kl_chart(const Summary& summary) {
  return scatter(dots_of(summary, [](const RunSummary& run) { return run.kl; }),
                 "KL to the reference", false,
                 "Reward against KL to the reference, with 95% intervals and the frontier");
}

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
