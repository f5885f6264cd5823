#include "transferq/eval/report/summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "transferq/eval/metrics/normalised.hpp"
#include "transferq/eval/metrics/paired_test.hpp"

namespace tq::report {
namespace {

constexpr std::uint64_t kSeed = 0;

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// The mean over its seeds of each prompt that has a value.
using ByPrompt = std::map<std::size_t, double>;

template <typename Value>
ByPrompt by_prompt(const std::vector<const Answer*>& answers, const Value& value) {
  std::map<std::size_t, std::vector<double>> all;
  for (const Answer* answer : answers) {
    if (const std::optional<double> v = value(*answer)) all[answer->prompt].push_back(*v);
  }
  ByPrompt out;
  for (const auto& [prompt, values] : all) out[prompt] = mean(values);
  return out;
}

std::vector<double> values_of(const ByPrompt& by) {
  std::vector<double> out;
  for (const auto& [prompt, value] : by) out.push_back(value);
  return out;
}

std::optional<double> mean_of(const ByPrompt& by) {
  if (by.empty()) return std::nullopt;
  return mean(values_of(by));
}

std::vector<double> differences(const ByPrompt& a, const ByPrompt& b) {
  std::vector<double> out;
  for (const auto& [prompt, value] : a) {
    const auto other = b.find(prompt);
    if (other != b.end()) out.push_back(value - other->second);
  }
  return out;
}

// One reward of all runs. `value` is that of a response.
template <typename Value>
std::vector<RewardSummary> rewards_of(const std::vector<std::vector<const Answer*>>& answers,
                                      std::size_t against, const Value& value) {
  std::vector<ByPrompt> means;
  for (const auto& of_run : answers) means.push_back(by_prompt(of_run, value));
  std::vector<RewardSummary> out(answers.size());
  std::vector<double> p;
  std::vector<std::size_t> tested;
  for (std::size_t run = 0; run < answers.size(); ++run) {
    for (const Answer* answer : answers[run]) {
      if (const std::optional<double> v = value(*answer)) out[run].values.push_back(*v);
    }
    std::sort(out[run].values.begin(), out[run].values.end());
    if (!means[run].empty()) out[run].mean = bootstrap_mean(values_of(means[run]), kSeed);
    if (run == against || against >= answers.size()) continue;
    const std::vector<double> d = differences(means[run], means[against]);
    if (d.empty()) continue;
    out[run].difference = bootstrap_mean(d, kSeed);
    p.push_back(paired_permutation_test(d, kSeed));
    tested.push_back(run);
  }
  const std::vector<double> corrected = holm(p);
  for (std::size_t i = 0; i < tested.size(); ++i) out[tested[i]].p = corrected[i];
  return out;
}

void add_normalised(Summary& summary, std::size_t against) {
  if (against >= summary.runs.size() || !summary.runs[against].reward.mean) return;
  double best = -std::numeric_limits<double>::infinity();
  for (const RunSummary& run : summary.runs) {
    if (run.reward.mean) best = std::max(best, run.reward.mean->mean);
  }
  const double plain = summary.runs[against].reward.mean->mean;
  for (RunSummary& run : summary.runs) {
    if (!run.reward.mean) continue;
    const double value = normalised_reward(run.reward.mean->mean, plain, best);
    if (std::isfinite(value)) run.normalised = value;
  }
}

RunSummary describe(const Run& run, const std::vector<const Answer*>& answers) {
  RunSummary out;
  out.name = run.name;
  out.decoder = run.decoder;
  out.responses = answers.size();
  std::set<std::size_t> prompts;
  std::set<std::string> kinds;
  double tokens = 0, evaluations = 0, seconds = 0;
  for (const Answer* answer : answers) {
    prompts.insert(answer->prompt);
    out.cut += answer->cut ? 1 : 0;
    tokens += static_cast<double>(answer->tokens);
    evaluations += answer->evaluations;
    seconds += answer->seconds;
    if (answer->kl) kinds.insert(answer->kl_kind);
  }
  out.prompts = prompts.size();
  for (const std::string& kind : kinds) out.kl_kind += (out.kl_kind.empty() ? "" : ", ") + kind;
  if (tokens > 0) {
    out.evaluations = evaluations / tokens;
    out.seconds = seconds / tokens;
  }
  out.kl = mean_of(by_prompt(answers, [](const Answer& a) { return a.kl; }));
  const auto metric = [&](const char* name) {
    return mean_of(by_prompt(answers, [&](const Answer& a) -> std::optional<double> {
      const auto found = a.metrics.find(name);
      return found == a.metrics.end() ? std::nullopt : std::optional(found->second);
    }));
  };
  out.rep_2 = metric("rep_2");
  out.rep_3 = metric("rep_3");
  out.rep_4 = metric("rep_4");
  out.diversity = metric("diversity");
  out.coherence = metric("coherence");
  out.perplexity = metric("perplexity");
  out.words = metric("words");
  return out;
}

void add_judged(const Results& results, Summary& summary) {
  std::vector<std::vector<Judgement>> judgements(summary.runs.size());
  for (const Judged& row : results.judged) judgements[row.run].push_back(row.judgement);
  for (std::size_t run = 0; run < summary.runs.size(); ++run) {
    if (!judgements[run].empty()) summary.runs[run].judged = win_rate(judgements[run]);
  }
}

// The order the paper claims, by the best run of each decoder.
void add_order(const std::vector<std::vector<const Answer*>>& answers, std::size_t against,
               Summary& summary) {
  const auto best_run = [&](const std::string& decoder) {
    std::size_t best = summary.runs.size();
    for (std::size_t i = 0; i < summary.runs.size(); ++i) {
      const RunSummary& run = summary.runs[i];
      if (run.decoder != decoder || !run.reward.mean) continue;
      if (best == summary.runs.size() ||
          run.reward.mean->mean > summary.runs[best].reward.mean->mean) {
        best = i;
      }
    }
    return best;
  };
  std::map<std::string, std::size_t> at;
  if (against < summary.runs.size() && summary.runs[against].reward.mean) at["plain"] = against;
  for (const char* name : {"args", "cd", "tq"}) {
    const std::size_t run = best_run(name);
    if (run < summary.runs.size()) at[name] = run;
  }
  for (const char* name : {"plain", "args", "cd", "tq"}) {
    if (at.count(name) == 0) summary.missing.emplace_back(name);
  }
  const auto reward = [](const Answer& a) { return a.reward; };
  std::vector<double> p;
  for (const auto& [worse, better] : {std::pair{"plain", "args"}, std::pair{"plain", "cd"},
                                      std::pair{"args", "tq"}, std::pair{"cd", "tq"}}) {
    if (at.count(worse) == 0 || at.count(better) == 0) continue;
    const std::vector<double> d =
        differences(by_prompt(answers[at[better]], reward), by_prompt(answers[at[worse]], reward));
    if (d.empty()) continue;
    summary.order.push_back(
        {summary.runs[at[worse]].name, summary.runs[at[better]].name, bootstrap_mean(d, kSeed), 1});
    p.push_back(paired_permutation_test(d, kSeed));
  }
  const std::vector<double> corrected = holm(p);
  for (std::size_t i = 0; i < p.size(); ++i) summary.order[i].p = corrected[i];
}

}  // namespace

Summary summarise(const Results& results) {
  Summary summary;
  summary.against = results.against;
  summary.prompts = results.prompts.size();
  summary.answered = results.answers.size();
  std::vector<std::vector<const Answer*>> answers(results.runs.size());
  std::set<std::string> unseen(results.rewards.begin(), results.rewards.end());
  summary.unseen = results.rewards;
  for (const Answer& answer : results.answers) {
    answers[answer.run].push_back(&answer);
    for (const auto& [name, value] : answer.unseen) {
      if (unseen.insert(name).second) summary.unseen.push_back(name);
    }
  }
  // The order of rows in the files must not change a figure.
  for (auto& of_run : answers) {
    std::sort(of_run.begin(), of_run.end(), [&](const Answer* a, const Answer* b) {
      return std::pair(results.prompts[a->prompt].id, a->seed) <
             std::pair(results.prompts[b->prompt].id, b->seed);
    });
  }
  for (std::size_t i = 0; i < results.runs.size(); ++i) {
    summary.runs.push_back(describe(results.runs[i], answers[i]));
  }
  for (const Failed& failed : results.failures) ++summary.runs[failed.run].failures;

  const std::size_t against = results.run_of(results.against);
  const auto rewards = rewards_of(answers, against, [](const Answer& a) { return a.reward; });
  for (std::size_t i = 0; i < rewards.size(); ++i) summary.runs[i].reward = rewards[i];
  for (const std::string& name : summary.unseen) {
    const auto more = rewards_of(answers, against, [&](const Answer& a) -> std::optional<double> {
      const auto found = a.unseen.find(name);
      return found == a.unseen.end() ? std::nullopt : std::optional(found->second);
    });
    for (std::size_t i = 0; i < more.size(); ++i) summary.runs[i].unseen.push_back(more[i]);
  }
  add_normalised(summary, against);
  add_judged(results, summary);
  add_order(answers, against, summary);
  const auto data = results.header.find("data");
  if (data != results.header.end() && data->is_object()) {
    const auto sampled = data->find("sampled");
    if (sampled != data->end() && sampled->is_number_unsigned()) {
      summary.expected = sampled->get<std::size_t>() * results.runs.size() *
                         std::max<std::size_t>(1, results.seeds.size());
    }
  }
  return summary;
}

std::vector<std::size_t> frontier(std::span<const Point> points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(points[a].cost, -points[a].reward) <
           std::pair(points[b].cost, -points[b].reward);
  });
  std::vector<std::size_t> out;
  for (const std::size_t i : order) {
    if (out.empty() || points[i].reward > points[out.back()].reward) out.push_back(i);
  }
  return out;
}

}  // namespace tq::report
