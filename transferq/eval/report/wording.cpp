#include "transferq/eval/report/wording.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace tq::report {
namespace {

constexpr const char* kNothing = "–";

std::string signed_number(double value) {
  return fmt::format("{}{}", value > 0 ? "+" : "", number(value));
}

const RunSummary* best_of(const Summary& summary) {
  const RunSummary* best = nullptr;
  for (const RunSummary& run : summary.runs) {
    if (run.reward.mean && (!best || run.reward.mean->mean > best->reward.mean->mean)) best = &run;
  }
  return best;
}

std::string order_said(const Summary& summary) {
  const std::string claim = "The order plain < ARGS, CD < TQ*";
  if (summary.order.empty() || !summary.missing.empty()) {
    return fmt::format("{} can't be judged: no rewards of {}.", claim,
                       fmt::join(summary.missing, ", "));
  }
  std::vector<std::string> not_shown;
  for (const OrderStep& step : summary.order) {
    if (step.shown()) continue;
    not_shown.push_back(fmt::format("{} over {} is {} (p {})", step.better, step.worse,
                                    interval(step.difference, true), p_value(step.p)));
  }
  if (summary.order.size() < 4) return claim + " can't be judged: runs share no prompts.";
  if (not_shown.empty()) return claim + " is shown (each step p < 0.05, corrected).";
  return fmt::format("{} is not shown: {}.", claim, fmt::join(not_shown, "; "));
}

std::string rate(std::size_t part, std::size_t of) {
  return of == 0
             ? kNothing
             : fmt::format("{:.0f}%", 100.0 * static_cast<double>(part) / static_cast<double>(of));
}

Column column(const Summary& summary, std::string title, std::string meaning,
              const std::function<std::string(const RunSummary&)>& cell) {
  Column out{std::move(title), std::move(meaning), {}};
  for (const RunSummary& run : summary.runs) out.cells.push_back(cell(run));
  return out;
}

Table reward_table(const Summary& s) {
  Table table{"Reward", {}};
  const auto add = [&](std::string title, std::string meaning, const auto& cell) {
    table.columns.push_back(column(s, std::move(title), std::move(meaning), cell));
  };
  const std::string less = "difference to " + s.against + ", paired by prompt, 95% interval";
  const std::string p_means = "permutation test of that difference, corrected (Holm)";
  add("run", "", [](const RunSummary& r) { return r.name; });
  add("prompts", "with a response",
      [](const RunSummary& r) { return fmt::format("{}", r.prompts); });
  add("reward", "mean over prompts, 95% bootstrap interval",
      [](const RunSummary& r) { return interval(r.reward.mean); });
  add("normalised", "0 is " + s.against + ", 1 the best run",
      [](const RunSummary& r) { return number(r.normalised); });
  if (!s.against.empty()) {
    add("difference", less,
        [](const RunSummary& r) { return interval(r.reward.difference, true); });
    add("p", p_means, [](const RunSummary& r) { return p_value(r.reward.p); });
  }
  return table;
}

Table unseen_table(const Summary& s, std::size_t i) {
  const auto at = [i](const RunSummary& r) -> const RewardSummary& { return r.unseen[i]; };
  Table table{"Unseen reward: " + s.unseen[i], {}};
  table.columns.push_back(column(s, "run", "", [](const RunSummary& r) { return r.name; }));
  table.columns.push_back(column(s, "reward", "a reward the decoders did not see",
                                 [&](const RunSummary& r) { return interval(at(r).mean); }));
  if (s.against.empty()) return table;
  table.columns.push_back(
      column(s, "difference", "to " + s.against + ", paired by prompt, 95% interval",
             [&](const RunSummary& r) { return interval(at(r).difference, true); }));
  table.columns.push_back(column(s, "p", "permutation test of that difference, corrected (Holm)",
                                 [&](const RunSummary& r) { return p_value(at(r).p); }));
  return table;
}

Table text_table(const Summary& s) {
  Table table{"Text and cost", {}};
  const auto add = [&](std::string title, std::string meaning, const auto& cell) {
    table.columns.push_back(column(s, std::move(title), std::move(meaning), cell));
  };
  add("run", "", [](const RunSummary& r) { return r.name; });
  add("KL", "to the reference, of the whole response, and how it is known",
      [](const RunSummary& r) {
        return r.kl ? fmt::format("{} ({})", number(r.kl), r.kl_kind) : kNothing;
      });
  add("diversity", "product of 1 - rep-n/100, n = 2, 3, 4",
      [](const RunSummary& r) { return number(r.diversity); });
  add("coherence", "cosine of prompt and response",
      [](const RunSummary& r) { return number(r.coherence); });
  add("perplexity", "under the reference",
      [](const RunSummary& r) { return number(r.perplexity); });
  add("words", "of a response", [](const RunSummary& r) { return number(r.words); });
  add("cut", "responses that ended by their length",
      [](const RunSummary& r) { return rate(r.cut, r.responses); });
  add("evaluations", "tokens evaluated for each token emitted",
      [](const RunSummary& r) { return number(r.evaluations); });
  add("seconds", "for each token emitted", [](const RunSummary& r) { return number(r.seconds); });
  add("failures", "never part of a mean",
      [](const RunSummary& r) { return fmt::format("{}", r.failures); });
  return table;
}

Table judge_table(const Summary& s) {
  Table table{"Judge", {}};
  const auto add = [&](std::string title, std::string meaning, const auto& cell) {
    table.columns.push_back(column(
        s, std::move(title), std::move(meaning),
        [&](const RunSummary& r) { return r.judged ? cell(*r.judged) : std::string(kNothing); }));
  };
  table.columns.push_back(column(s, "run", "", [](const RunSummary& r) { return r.name; }));
  add("win / tie / lose", "pairs, each judged in both orders",
      [](const WinRate& j) { return fmt::format("{} / {} / {}", j.wins, j.ties, j.losses); });
  add("wins", "of the readable pairs", [](const WinRate& j) { return rate(j.wins, j.readable()); });
  add("wins + ties", "of the readable pairs",
      [](const WinRate& j) { return rate(j.wins + j.ties, j.readable()); });
  add("first / second twice",
      "position bias: pairs in which the answer in that place was preferred in both orders",
      [](const WinRate& j) {
        return fmt::format("{} / {}", rate(j.first_both, j.readable()),
                           rate(j.second_both, j.readable()));
      });
  add("unreadable", "left out of the rates",
      [](const WinRate& j) { return fmt::format("{}", j.none); });
  return table;
}

}  // namespace

std::string number(double value) {
  const double size = std::abs(value);
  if (size != 0 && (size >= 1e6 || size < 5e-4)) return fmt::format("{:.2g}", value);
  const int places = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3;
  return fmt::format("{:.{}f}", value == 0 ? 0.0 : value, places);
}

std::string number(const std::optional<double>& value) { return value ? number(*value) : kNothing; }

std::string interval(const std::optional<Estimate>& e, bool sign) {
  if (!e) return kNothing;
  const auto write = [&](double v) { return sign ? signed_number(v) : number(v); };
  if (e->n < 2) return fmt::format("{} (one prompt)", write(e->mean));
  return fmt::format("{} ({} to {})", write(e->mean), write(e->low), write(e->high));
}

std::string p_value(const std::optional<double>& p) {
  if (!p) return kNothing;
  return *p < 0.001 ? "<0.001" : fmt::format("{:.3f}", *p);
}

std::string verdict(const Summary& summary) {
  const RunSummary* best = best_of(summary);
  if (!best) return "No run has a reward, so there is no best one.";
  std::string out;
  if (best->name == summary.against) {
    out = fmt::format("No run has more reward than {} ({}).", best->name,
                      interval(best->reward.mean));
  } else if (const auto& d = best->reward.difference; d && best->reward.p) {
    const bool clear = *best->reward.p < 0.05;
    out = fmt::format("{} has the most reward: {} more than {} ({} to {}, p {}){}", best->name,
                      number(d->mean), summary.against, number(d->low), number(d->high),
                      p_value(best->reward.p),
                      clear ? "" : ", which may be chance at this number of prompts");
    if (best->evaluations) {
      out += fmt::format(", for {} token evaluations a token", number(best->evaluations));
    }
    out += ".";
  } else {
    out = fmt::format("{} has the most reward ({}).", best->name, interval(best->reward.mean));
  }
  return out + " " + order_said(summary);
}

std::vector<Table> tables(const Summary& summary) {
  std::vector<Table> out{reward_table(summary)};
  for (std::size_t i = 0; i < summary.unseen.size(); ++i) out.push_back(unseen_table(summary, i));
  out.push_back(text_table(summary));
  const bool judged = std::any_of(summary.runs.begin(), summary.runs.end(),
                                  [](const RunSummary& r) { return r.judged.has_value(); });
  if (judged) out.push_back(judge_table(summary));
  return out;
}

}  // namespace tq::report
