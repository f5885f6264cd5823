#include "transferq/lab/report/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "transferq/eval/report/axis.hpp"
#include "transferq/eval/report/svg.hpp"

namespace tq::lab {
namespace {

namespace svg = report::svg;

using report::frame::kRight, report::frame::kWidth;
constexpr double kLeft = 58, kTop = 18, kPlot = 260, kLegend = 19;

using report::Axis;

// What an axis has to show.
struct Range {
  bool log;
  double low = std::numeric_limits<double>::infinity(), high = -low;

  bool shows(double v) const { return std::isfinite(v) && (!log || v > 0); }
  void widen(double v) {
    if (!shows(v)) return;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  // With room on both sides, so that nothing lies on the frame.
  Axis axis(double from, double to) const {
    if (!log) {
      const auto [least, most] = report::padded(low, high, 0.05);
      return {least, most, from, to};
    }
    const auto [least, most] = report::padded(std::log10(low), std::log10(high), 0.05);
    return {std::pow(10, least), std::pow(10, most), from, to, true};
  }
};

std::vector<double> ticks(const Axis& a) {
  return a.log ? report::log_ticks(a.low, a.high, 6) : report::ticks(a.low, a.high, 6);
}

bool shows(const Axis& a, double v) { return std::isfinite(v) && v >= a.low && v <= a.high; }

std::string grid(const Axis& x, const Axis& y, const Plot& plot) {
  std::string out;
  for (const double t : ticks(y)) {
    out += svg::line(kLeft, y.at(t), kWidth - kRight, y.at(t), "grid");
    out += svg::text(kLeft - 6, y.at(t) + 4, "end", "tick", fmt::format("{:g}", t));
  }
  for (const double t : ticks(x)) {
    out += svg::line(x.at(t), kTop, x.at(t), kPlot, "grid");
    out += svg::text(x.at(t), kPlot + 16, "middle", "tick", fmt::format("{:g}", t));
  }
  out += svg::text((kLeft + kWidth - kRight) / 2, kPlot + 34, "middle", "axis", plot.x);
  return out + svg::text(4, kTop - 7, "start", "axis", plot.y);
}

std::string path(const Series& s, const Axis& x, const Axis& y) {
  std::string d;
  for (const auto& [px, py] : s.points) {
    if (!shows(x, px) || !shows(y, py)) continue;
    d += fmt::format("{}{:.1f} {:.1f}", d.empty() ? "M" : "L", x.at(px), y.at(py));
  }
  if (d.empty()) return "";
  const std::string css = s.guide ? "frontier" : fmt::format("bar s{}", s.sign % 8);
  return fmt::format(R"(<path d="{}" fill="none" class="{}"/>)", d, css);
}

std::string marks(const Series& s, const Axis& x, const Axis& y) {
  std::string out;
  for (std::size_t i = 0; i < s.points.size(); ++i) {
    const auto [px, py] = s.points[i];
    if (!shows(x, px) || !shows(y, py)) continue;
    if (i < s.intervals.size()) {
      out += svg::line(x.at(px), y.at(s.intervals[i].first), x.at(px), y.at(s.intervals[i].second),
                       fmt::format("bar s{}", s.sign % 8));
    }
    out += svg::mark(s.sign, x.at(px), y.at(py));
  }
  return out;
}

// The names, two a row, beneath the axis.
std::string legend(const std::vector<Series>& all, double top) {
  std::string out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Series& s = all[i];
    const double left = i % 2 == 0 ? 12 : 12 + kWidth / 2;
    const double middle = top + kLegend * static_cast<double>(i / 2);
    const std::string css = s.guide ? "frontier" : fmt::format("bar s{}", s.sign % 8);
    if (s.line) out += svg::line(left, middle, left + 22, middle, css);
    if (s.marks) out += svg::mark(s.sign, left + 11, middle);
    out += svg::text(left + 29, middle + 4, "start", "tick", s.name);
  }
  return out;
}

}  // namespace

std::string drawn(const Plot& plot) {
  Range across{plot.log_x}, up{plot.log_y};
  std::vector<Series> shown;
  for (const Series& s : plot.series) {
    if (s.points.empty()) continue;
    shown.push_back(s);
    for (const auto& [px, py] : s.points) {
      if (!across.shows(px) || !up.shows(py)) continue;
      if (s.guide && plot.x_most && px > *plot.x_most) continue;
      across.widen(px);
      up.widen(py);
    }
    for (const auto& [low, high] : s.intervals) {
      up.widen(low);
      up.widen(high);
    }
  }
  if (!(across.low <= across.high) || !(up.low <= up.high)) return "";
  const Axis x = across.axis(kLeft, kWidth - kRight), y = up.axis(kPlot, kTop + 4);
  std::string out = grid(x, y, plot);
  for (const Series& s : shown) {
    if (s.line) out += path(s, x, y);
  }
  for (const Series& s : shown) {
    if (s.marks) out += marks(s, x, y);
  }
  const double top = kPlot + 54;
  const double height = top + kLegend * static_cast<double>((shown.size() + 1) / 2);
  return svg::drawing(kWidth, height, plot.title, out + legend(shown, top));
}

}  // namespace tq::lab
