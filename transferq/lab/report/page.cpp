#include "transferq/lab/report/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "transferq/eval/report/escape.hpp"
#include "transferq/eval/report/svg.hpp"
#include "transferq/lab/report/plot.hpp"
#include "transferq/lab/report/plots_page.hpp"
#include "transferq/lab/report/summary.hpp"

namespace tq::lab {
namespace {

namespace svg = report::svg;
using report::html_text;
using Rows = std::vector<SweepRow>;

// A method's name to a reader, and its sign in every plot.
struct Shown {
  const char* method;
  const char* name;
  std::size_t sign;
};
constexpr Shown kMethods[] = {
    {"tq_direct", "direct, aligned baseline", 0},
    {"cd", "controlled decoding", 1},
    {"tq_indirect", "indirect, other baseline", 2},
    {"tq_direct_with_mismatched_baseline", "direct, other baseline", 3},
    {"args", "ARGS", 4},
    {"best_of", "best of N", 5},
    {"tq_soft", "soft, other baseline", 6},
    {"aligned_to_target", "aligned baseline itself", 7},
    {"aligned_to_baseline_reward", "other baseline itself", 7},
};

using Coordinate = std::function<double(const Mean&)>;

// A line for each method of a sweep.
std::vector<Series> lines(const Rows& rows, const std::string& sweep, const Coordinate& x,
                          const Coordinate& y) {
  const auto all = means(rows, sweep);
  std::vector<Series> out;
  for (const Shown& shown : kMethods) {
    const auto it = all.find(shown.method);
    if (it == all.end()) continue;
    Series s{shown.name, shown.sign, {}};
    for (const Mean& m : it->second) {
      if (std::isfinite(y(m))) s.points.emplace_back(x(m), y(m));
    }
    out.push_back(std::move(s));
  }
  return out;
}

double value_of(const Mean& m) { return m.value; }
double reward_of(const Mean& m) { return m.expected_reward; }
double kl_of(const Mean& m) { return m.kl_to_sft; }

std::string reward_against_kl(const Rows& rows) {
  Plot plot{"Reward against KL", "KL to the reference", "reward"};
  plot.series = lines(rows, "alpha", kl_of, reward_of);
  for (Series& s : lines(rows, "samples", kl_of, reward_of)) plot.series.push_back(std::move(s));
  double most = 0;
  for (const Series& s : plot.series) {
    for (const auto& p : s.points) most = std::max(most, p.first);
  }
  const auto optimum = means(rows, "frontier");
  if (const auto it = optimum.find("optimum"); it != optimum.end()) {
    Series s{"most there can be", 0, {}, true, false, true};
    for (const Mean& m : it->second) s.points.emplace_back(m.kl_to_sft, m.expected_reward);
    plot.series.push_back(std::move(s));
    if (most > 0) plot.x_most = most;
  }
  return figure(plot,
                "Each line is one method as alpha goes down to the right, best of N as N goes up. "
                "Dashed: the exact frontier, the laws rho_sft exp(r / beta'); no decoder of any "
                "kind lies above it, and means over worlds don't either.");
}

// One point a world and value: what is guaranteed, and what it is.
std::string against_bound(const Rows& rows, const std::string& title, const std::string& x,
                          const std::string& y, const std::string& caption,
                          const std::function<double(const SweepRow&)>& value,
                          const std::function<std::optional<double>(const SweepRow&)>& bound) {
  constexpr std::size_t kMost = 1500;
  Series points{"a world at one alpha", 0, {}, false, true};
  Series others{"a world at one beta", 2, {}, false, true};
  std::size_t count = 0;
  for (const SweepRow& r : rows) count += bound(r) ? 1 : 0;
  const std::size_t each = count / kMost + 1;
  std::size_t i = 0;
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const SweepRow& r : rows) {
    const std::optional<double> b = bound(r);
    if (!b || i++ % each != 0 || !(value(r) > 1e-9)) continue;
    if (r.sweep == "alpha") points.points.emplace_back(*b, value(r));
    if (r.sweep == "beta") others.points.emplace_back(*b, value(r));
    low = std::min({low, *b, value(r)});
    high = std::max({high, *b, value(r)});
  }
  Plot plot{title, x, y, true, true};
  if (high > 0) {
    plot.series = {
        {"equal to its bound", 0, {{low, low}, {high, high}}, true, false, true}, points, others};
  }
  return figure(plot, caption);
}

std::string value_errors(const Rows& rows) {
  Plot plot{"Error of the values against N", "roll-outs a candidate (log)",
            "root mean square error (log)", true, true};
  plot.series = lines(rows, "rollouts", value_of, [](const Mean& m) { return m.value_error; });
  return figure(plot,
                "How far each method's values of the first token are from Q*, the value under the "
                "policy aligned to the target. Roll-outs of that policy, and weighted ones of "
                "another, come ever nearer; the rest keep a bias.");
}

std::string simple(const Rows& rows, const std::string& sweep, const std::string& title,
                   const std::string& x, bool log, const std::string& caption) {
  Plot plot{title, x, "reward", log};
  plot.series = lines(rows, sweep, value_of, reward_of);
  return figure(plot, caption);
}

const char* kIndirect = "tq_indirect";
const char* kMismatched = "tq_direct_with_mismatched_baseline";

std::string when_indirect_pays(const Rows& rows) {
  Series share{"worlds in which indirect is ahead", 2, {}};
  for (const Ahead& a : ahead(rows, "quality", kIndirect, kMismatched)) {
    share.points.emplace_back(a.value, 100 * a.share.value);
    share.intervals.emplace_back(100 * a.share.low, 100 * a.share.high);
  }
  Plot plot{"When indirect transfer pays", "quality lambda of the baseline's reward",
            "% of worlds"};
  if (!share.points.empty()) {
    plot.series = {{"half of them",
                    0,
                    {{share.points.front().first, 50}, {share.points.back().first, 50}},
                    true,
                    false,
                    true},
                   share};
  }
  return figure(plot,
                "Indirect transfer against direct transfer from the same, other baseline, whose "
                "reward is lambda r + (1 - |lambda|) noise. Bars: 95% intervals over worlds.");
}

// Quality across, alpha upwards: in how many worlds indirect is ahead, and by how much.
std::string map_of(const Rows& rows) {
  std::map<double, Rows> by_alpha;
  for (const SweepRow& r : rows) {
    if (r.sweep == "map") by_alpha[r.alpha].push_back(r);
  }
  if (by_alpha.empty()) return "";
  constexpr double kWidth = 460, kLeft = 48, kTop = 18, kHigh = 44;
  std::string out;
  double y = kTop + kHigh * static_cast<double>(by_alpha.size() - 1), columns = 1;
  const double bottom = y + kHigh;
  for (const auto& [alpha, some] : by_alpha) {
    const std::vector<Ahead> cells = ahead(some, "map", kIndirect, kMismatched);
    columns = static_cast<double>(std::max<std::size_t>(1, cells.size()));
    const double wide = (kWidth - kLeft) / columns;
    double x = kLeft;
    out += svg::text(kLeft - 6, y + kHigh / 2 + 4, "end", "tick", fmt::format("{:g}", alpha));
    for (const Ahead& a : cells) {
      const bool pays = a.share.value > 0.5;
      out += fmt::format(
          R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="r{}" opacity="{:.2f}"/>)",
          x + 1, y + 1, wide - 2, kHigh - 2, pays ? 2 : 3, 1.2 * std::abs(a.share.value - 0.5));
      const double middle = x + wide / 2;
      out += svg::text(middle, y + 19, "middle", "", fmt::format("{:.0f}%", 100 * a.share.value));
      out += svg::text(middle, y + 35, "middle", "tick", fmt::format("{:+.3f}", a.difference));
      if (y == kTop) {
        out += svg::text(middle, bottom + 16, "middle", "tick", fmt::format("{:g}", a.value));
      }
      x += wide;
    }
    y -= kHigh;
  }
  out += svg::text(kLeft + (kWidth - kLeft) / 2, bottom + 34, "middle", "axis",
                   "quality lambda of the baseline's reward");
  out += svg::text(4, kTop - 7, "start", "axis", "alpha");
  const std::string title = "The map of indirect transfer";
  return fmt::format("<figure><h3>{}</h3>{}<figcaption>{}</figcaption></figure>", title,
                     svg::drawing(kWidth, bottom + 44, title, out),
                     "The share of worlds in which indirect transfer is ahead, and the mean "
                     "difference in reward. Darker: further from half; the two colours say which "
                     "side.");
}

std::string ahead_table(const Rows& rows, const std::string& sweep, const std::string& what,
                        const std::string& title, const char* one, const char* other) {
  const std::vector<Ahead> all = ahead(rows, sweep, one, other);
  if (all.empty()) return "";
  std::string out = fmt::format(
      "<h3>{}</h3><div class=\"wide\"><table><thead><tr><th scope=\"col\">{}</th>"
      "<th scope=\"col\">worlds</th><th scope=\"col\">ahead</th>"
      "<th scope=\"col\">95% interval</th><th scope=\"col\">mean difference</th></tr></thead>"
      "<tbody>",
      html_text(title), html_text(what));
  for (const Ahead& a : all) {
    out += fmt::format(
        "<tr><th scope=\"row\">{:g}</th><td data-title=\"worlds\">{}</td>"
        "<td data-title=\"ahead\">{:.1f}%</td><td data-title=\"95% interval\">{:.1f} to {:.1f}</td>"
        "<td data-title=\"mean difference\">{:+.4f}</td></tr>",
        a.value, a.worlds, 100 * a.share.value, 100 * a.share.low, 100 * a.share.high,
        a.difference);
  }
  return out + "</tbody></table></div>";
}

std::string figures(const Rows& rows) {
  return reward_against_kl(rows) +
         against_bound(
             rows, "Gap against its bound", "bound of Theorem 1 (log)",
             "best reward less expected reward (log)",
             "Direct transfer with exact values. All points lie below the dashed line: the bound "
             "holds. How far below says how much it gives away.",
             [](const SweepRow& r) { return r.suboptimality; },
             [](const SweepRow& r) { return r.suboptimality_bound; }) +
         against_bound(
             rows, "KL against its bound", "bound of Theorem 1 (log)", "KL to the reference (log)",
             "The same for the second half of the theorem, (1/beta + T/alpha) r_max.",
             [](const SweepRow& r) { return r.kl_to_sft; },
             [](const SweepRow& r) { return r.kl_bound; }) +
         value_errors(rows) +
         simple(rows, "rollouts", "Reward against N", "roll-outs a candidate (log)", true,
                "What the decoders are worth when their values are estimated from N roll-outs.") +
         when_indirect_pays(rows) + map_of(rows) +
         simple(rows, "quality", "Reward against the baseline's quality",
                "quality lambda of the baseline's reward", false,
                "Direct transfer from the aligned baseline and controlled decoding don't read the "
                "other baseline: their lines are level.") +
         simple(rows, "beta", "Reward against beta", "KL strength beta of the alignment (log)",
                true, "Small beta: baselines that followed their reward far.") +
         simple(rows, "horizon", "Reward against horizon", "tokens of a roll-out", false,
                "Roll-outs that stop early are scored by the reward of prefixes; horizon 0 is "
                "ARGS's value. In drawn worlds that reward is noise.");
}

}  // namespace

std::string page(const About& about, const std::vector<SweepRow>& rows) {
  const std::string tables =
      ahead_table(rows, "quality", "lambda",
                  "Indirect transfer ahead of direct transfer from the other baseline", kIndirect,
                  kMismatched) +
      ahead_table(rows, "alpha", "alpha", "Direct transfer ahead of controlled decoding",
                  "tq_direct", "cd");
  return plots_page(
      {about.title, about.worlds, about.command}, figures(rows),
      tables.empty()
          ? ""
          : fmt::format("<section id=\"map\"><h2>Who is ahead</h2>{}</section>\n", tables));
}

}  // namespace tq::lab
