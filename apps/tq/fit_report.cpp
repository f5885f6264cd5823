#include "fit_report.hpp"

#include <fmt/format.h>

namespace tq::app {
namespace {

std::string share(const Proportion& p) {
  return fmt::format("{:.1f}% [{:.1f}, {:.1f}]", 100 * p.value, 100 * p.low, 100 * p.high);
}

// "12 identical, 3 empty", without what did not happen.
std::string counted(const std::vector<std::pair<std::size_t, std::string>>& counts) {
  std::string out;
  for (const auto& [count, what] : counts) {
    if (count > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, what);
  }
  return out;
}

// The best trial of each feature set.
std::string choices(const FitReport& r) {
  std::string out;
  for (std::size_t s = 0; s < r.poolings.size(); ++s) {
    const Trial* best = nullptr;
    for (const Trial& trial : r.fit.trials) {
      if (trial.set == s && (best == nullptr || trial.loss < best->loss)) best = &trial;
    }
    if (best == nullptr) continue;
    out += fmt::format("  {:<12} {} with l2 {:.3g}: log loss {:.4f}, {:.1f}% right in {} folds{}\n",
                       out.empty() ? "chosen from" : "", r.poolings[s], best->l2, best->loss,
                       100 * best->accuracy, r.folds, s == r.fit.set ? "  <- chosen" : "");
  }
  return out;
}

}  // namespace

nlohmann::ordered_json report_json(const FitReport& r) {
  const auto interval = [](const Proportion& p) { return nlohmann::ordered_json{p.low, p.high}; };
  nlohmann::ordered_json out;
  out["out"] = r.out;
  out["model"] = r.model;
  out["examples"] = r.pairs ? "pairs" : "responses";
  out["format"] = r.format;
  out["text"] = r.text;
  out["loss"] = r.loss;
  out["pooling"] = r.poolings[r.fit.set];
  out["l2"] = r.fit.l2;
  out["seed"] = r.seed;
  out["fitted"] = r.fitted;
  out["held_out"] = r.held_out;
  out["accuracy"] = r.fit.accuracy.value;
  out["accuracy_interval"] = interval(r.fit.accuracy);
  out["learning_curve"] = nlohmann::ordered_json::array();
  for (const CurvePoint& point : r.fit.curve) {
    out["learning_curve"].push_back({{"fitted", point.fitted},
                                     {"accuracy", point.accuracy.value},
                                     {"accuracy_interval", interval(point.accuracy)}});
  }
  const Calibration& c = r.fit.calibration;
  out["calibration"] = {{"mean", c.mean}, {"spread", c.spread}, {"low", *c.low}, {"high", *c.high}};
  out["left_out"] = {{"identical", r.identical + r.cut.identical},
                     {"empty", r.empty},
                     {"prompt_too_long", r.cut.left_out},
                     {"prompt_in_test", r.shared}};
  out["cut"] = r.cut.cut;
  out["cross_validation"] = nlohmann::ordered_json::array();
  for (const Trial& trial : r.fit.trials) {
    out["cross_validation"].push_back({{"pooling", r.poolings[trial.set]},
                                       {"l2", trial.l2},
                                       {"loss", trial.loss},
                                       {"accuracy", trial.accuracy}});
  }
  out["texts"] = r.features.texts;
  out["cached"] = r.features.cached;
  out["evaluations"] = r.features.evaluations;
  if (r.features.damaged > 0) out["cache_damaged"] = r.features.damaged;
  if (!r.features.trouble.empty()) out["cache_trouble"] = r.features.trouble;
  out["data"] = r.data;
  return out;
}

std::string report_text(const FitReport& r) {
  const char* what = r.pairs ? "pairs" : "responses";
  std::string out = fmt::format("wrote {}, a head for {}\n", r.out, r.model);
  out += fmt::format("  {:<12} {} of {} held-out {} right, 95% interval\n", "accuracy",
                     share(r.fit.accuracy), r.held_out, what);
  out += fmt::format("  {:<12} {} {}, {} loss, l2 {:.3g}, {} pooling, reads the {}\n", "fitted on",
                     r.fitted, what, r.loss, r.fit.l2, r.poolings[r.fit.set], r.text);
  out += choices(r);
  std::string curve;
  for (const CurvePoint& point : r.fit.curve) {
    curve += fmt::format("{}{:.1f}% from {}", curve.empty() ? "" : ", ", 100 * point.accuracy.value,
                         point.fitted);
  }
  out += fmt::format("  {:<12} {}\n", "learning", curve);
  const Calibration& c = r.fit.calibration;
  out += fmt::format(
      "  {:<12} mean {:.3f}, spread {:.3f}, from {:.3f} to {:.3f} on held-out "
      "texts\n",
      "reward", c.mean, c.spread, *c.low, *c.high);
  const std::string left = counted({{r.identical + r.cut.identical, "identical"},
                                    {r.empty, "empty"},
                                    {r.cut.left_out, "with too long a prompt"},
                                    {r.shared, "whose prompt is in the test"}});
  if (!left.empty()) out += fmt::format("  {:<12} {}\n", "left out", left);
  if (r.cut.cut > 0) out += fmt::format("  {:<12} {} texts at --max-tokens\n", "cut", r.cut.cut);
  out += fmt::format("  {:<12} {} texts, {} of them read before, {} evaluations\n", "features",
                     r.features.texts, r.features.cached, r.features.evaluations);
  if (r.features.damaged > 0) {
    out += fmt::format("  {:<12} {} damaged features were dropped from the cache\n", "",
                       r.features.damaged);
  }
  if (!r.features.trouble.empty()) {
    out += fmt::format("  {:<12} features are not kept: {}\n", "", r.features.trouble);
  }
  return out + fmt::format("use it: tq generate ... --reward head={}\n", r.out);
}

}  // namespace tq::app
