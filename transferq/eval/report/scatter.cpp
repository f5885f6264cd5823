#include "transferq/eval/report/scatter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "transferq/eval/report/axis.hpp"
#include "transferq/eval/report/svg.hpp"

namespace tq::report {
namespace {

using namespace frame;

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
    const Box inside{kLeft, kTop - 6, kWidth, kHeight - kBottom + 2};
    const auto free = std::find_if(places.begin(), places.end(), [&](const auto& p) {
      const Box b = box(p);
      return b.left >= inside.left && b.right <= inside.right && b.top >= inside.top &&
             b.bottom <= inside.bottom &&
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

}  // namespace

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

}  // namespace tq::report
