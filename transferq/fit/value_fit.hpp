// Fits a learned value (value/learned.hpp) on logged steps, and measures it on steps of prompts
// held out.
//
// The mean is a ridge regression within steps: both states and values are taken as differences from
// their step's mean, because a choice among candidates turns on nothing else, and how well a prompt
// goes as a whole would drown it. Minimised is
//   1/n sum_i (q_i - mean q - w . (h_i - mean h))^2 + l2 sum_j (s_j w_j)^2,
// s_j being the deviation of component j within steps. Where the reward of the text so far is
// itself linear in the state (a head beside its base), its multiple is free of the penalty: then a
// strong penalty leaves that one-step value, not 0. The bias makes the mean value right over all.
//
// A value is good for something where it chooses better than the reward of the text so far, which
// costs the same: check() says so by what the roll-outs say of the two choices.
// Pure functions of their arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "transferq/eval/metrics/bootstrap.hpp"
#include "transferq/fit/linear_fit.hpp"
#include "transferq/fit/value_states.hpp"

namespace tq {

struct ValueFitOptions {
  std::optional<double> l2;  // else chosen by cross-validation over prompts
  std::size_t folds = 5;
  std::uint64_t seed = 0;
};

// How a strength of the penalty did on the folds left out.
struct ValueTrial {
  double l2 = 0;
  double loss = 0;  // mean squared error within steps
};

// On steps of prompts that had no part in the fit. `gain`s are what roll-outs say of the candidate
// that a value ranks highest, over what they say of the likeliest candidate: means over prompts of
// means over steps, in units of the reward, with 95% intervals.
struct ValueCheck {
  std::size_t steps = 0, prompts = 0;
  double correlation = 0;           // Spearman's with the roll-outs' values within a step
  double correlation_one_step = 0;  // the same of the reward of the text so far
  Estimate gain, gain_one_step, gain_best;
  Estimate over_one_step;  // gain - gain_one_step, paired
};

struct ValueFit {
  LinearMap mean;
  double l2 = 0;
  std::vector<ValueTrial> trials;
  bool from_reward = false;  // the reward of the text so far is linear in the state
};

// Fits on the steps named. Throws Error (input) for too few prompts, or values or states that are
// not finite.
ValueFit fit_value(const ValueRows& rows, std::span<const std::size_t> steps,
                   const ValueFitOptions& options);

// Without a one-step value (a reward that can't score unfinished responses), the likeliest
// candidate takes its place.
ValueCheck check_value(const ValueRows& rows, std::span<const std::size_t> steps,
                       const LinearMap& value, std::uint64_t seed);

// Spearman's rank correlation, ties at their mean rank; 0 where one side is all ties.
double rank_correlation(std::span<const double> a, std::span<const double> b);

}  // namespace tq
