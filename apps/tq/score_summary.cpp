#include "score_summary.hpp"

#include <fmt/format.h>

#include <cmath>

#include "transferq/eval/agreement.hpp"
#include "transferq/eval/interval.hpp"

namespace tq::app {
namespace {

std::string accuracy(std::size_t right, std::size_t count) {
  const Proportion p = wilson(right, count);
  return fmt::format("{:.1f}% (95% interval {:.1f} to {:.1f})", 100 * p.value, 100 * p.low,
                     100 * p.high);
}

std::string number(double value) {
  return std::isnan(value) ? "undefined" : fmt::format("{:.3f}", value);
}

}  // namespace

std::string score_summary(std::span<const ScoreItem> items, const Scores& scores) {
  std::vector<double> all, margins, labelled, labels;
  std::size_t right = 0, right_signs = 0;
  for (const auto& [i, values] : scores) {
    all.insert(all.end(), values.begin(), values.end());
    if (values.size() == 2) {
      margins.push_back(values[0] - values[1]);
      right += margins.back() > 0 ? 1 : 0;
    } else if (const auto& label = items[i].label; label && (*label == 0 || *label == 1)) {
      labelled.push_back(values[0]);
      labels.push_back(*label);
      right_signs += (values[0] > 0) == (*label == 1) ? 1 : 0;
    }
  }
  std::string out = fmt::format("{} responses | mean {:.3f}, spread {:.3f}\n", all.size(),
                                mean_of(all), spread_of(all));
  if (!margins.empty()) {
    out += fmt::format("{} pairs | accuracy {} | mean margin {:.3f}\n", margins.size(),
                       accuracy(right, margins.size()), mean_of(margins));
  }
  if (!labels.empty()) {
    out += fmt::format(
        "{} labels | accuracy {} with 1 for a reward above 0 | AUC {} | calibration error {}\n",
        labels.size(), accuracy(right_signs, labels.size()),
        number(area_under_curve(labelled, labels)), number(calibration_error(labelled, labels)));
  }
  return out;
}

}  // namespace tq::app
