// What a report says of each run: means over prompts (seeds averaged first), with 95% bootstrap
// intervals; differences to the run all are compared with are paired by prompt, their p values
// (permutation test) corrected by Holm for the number of runs. Runs may have answered different
// prompts when an experiment is not finished: a mean is over those it answered, a difference over
// those both did. Deterministic. Pure functions.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "transferq/eval/metrics/bootstrap.hpp"
#include "transferq/eval/report/results.hpp"

namespace tq::report {

// A reward of a run, and how far it is from the run that others are compared with.
struct RewardSummary {
  std::optional<Estimate> mean;
  std::optional<Estimate> difference;  // missing for that run itself
  std::optional<double> p;             // corrected
  std::vector<double> values;          // one a response, sorted
};

struct RunSummary {
  std::string name, decoder;
  std::size_t prompts = 0, responses = 0, failures = 0, cut = 0;
  RewardSummary reward;
  std::optional<double> normalised;   // 0: `against`, 1: the best run
  std::vector<RewardSummary> unseen;  // in the order of Summary::unseen
  std::optional<double> kl, rep_2, rep_3, rep_4, diversity, coherence, perplexity, words;
  std::string kl_kind;                         // exact, bound or estimate; several with commas
  std::optional<double> evaluations, seconds;  // for each emitted token
  std::optional<WinRate> judged;
};

// A step of the paper's order: the better decoder's best run against the worse one's.
struct OrderStep {
  std::string worse, better;
  Estimate difference;
  double p = 1;  // corrected for the number of steps
  bool shown() const { return difference.mean > 0 && p < 0.05; }
};

struct Summary {
  std::string against;
  std::vector<std::string> unseen;
  std::vector<RunSummary> runs;
  std::vector<OrderStep> order;      // plain < args, plain < cd, args < tq, cd < tq
  std::vector<std::string> missing;  // decoders of that order that no run has
  std::size_t prompts = 0, expected = 0, answered = 0;  // responses; expected 0: not known
};

Summary summarise(const Results& results);

// The runs no other run beats in both: less cost and at least the reward. By increasing cost.
struct Point {
  double cost = 0, reward = 0;
};
std::vector<std::size_t> frontier(std::span<const Point> points);

}  // namespace tq::report
