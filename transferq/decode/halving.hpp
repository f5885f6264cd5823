// Roll-outs that stop once their candidate is behind: sequential halving (Karnin, Koren and Somekh,
// "Almost Optimal Exploration in Multi-Armed Bandits", ICML 2013) over the candidates of a step.
// With R halvings, roll-outs of h tokens, the horizon or what the response has room for, pause at
// h/2^R, ..., h/4 and h/2 tokens (rounded down, 0 being the candidate itself); at each pause the
// candidates are ranked by log pi_prop + Q / alpha, Q being the value of what was rolled out so
// far, and the lower half rolls out no further. Those that have ended have their final value and
// stay. So does one that is spared.
//
// A candidate that was given up can't be chosen. So the choice is that of the full horizon among
// those that were never in the lower half, which is an approximation: not for the exact laws.
// k candidates cost k + k h / 2^R + sum over the pauses of what the halves go on, instead of k + k
// h: with R = 3 and h = 16, 6 instead of 17 tokens a candidate, where the reward reads states.
//
// With `errors` Z the lower half is given up only where its ranking is decided: where a candidate's
// upper confidence bound is below the lower one of the best, log pi_prop + (Q +- Z s / sqrt(n)) /
// alpha, s being the standard deviation of its n roll-outs' rewards (sampled roll-outs, whose mean
// is the value). They are bounds of what is rolled out so far: roll-outs that agree count as
// certain, but at 0 tokens, where none has begun, nobody is given up.
//
// A learned value (value/learned.hpp) may choose before: of the candidates it lets those `screen`
// roll out that it ranks highest, by the same sum. It does so at 0 tokens; a pause that halving has
// there is its.
//
// Not thread-safe; lives for one step.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "transferq/decode/proposing.hpp"
#include "transferq/decode/response.hpp"
#include "transferq/decode/valuing.hpp"
#include "transferq/rollout/rollout.hpp"

namespace tq {

// Where roll-outs of up to `horizon` tokens pause, rising, each once. Pure.
std::vector<std::size_t> halving_positions(std::size_t horizon, std::size_t halvings);

// Whether each of these is among the `count` highest scores; ties go to the first. Pure.
std::vector<bool> highest(std::span<const double> scores, std::size_t count);

// The standard error of the mean reward of each of `count` candidates' roll-outs; 0 where a
// candidate has fewer than two. Pure.
std::vector<double> standard_errors(std::span<const Rollout> rollouts,
                                    std::span<const double> rewards, std::size_t count);

struct HalvingOptions {
  std::size_t horizon = 0;   // of this step
  std::size_t halvings = 0;  // R
  double errors = 0;         // Z; 0: all of the lower half is given up
  std::size_t screen = 0;    // candidates that a learned value lets roll out; 0: it is not asked
  // A candidate that halving does not give up: the one whose roll-out an earlier step made
  // (rollout/ahead.hpp), so that what was found is not lost.
  std::optional<std::size_t> spared = std::nullopt;
};

class Halving {
 public:
  // All of these outlive it. `alpha` may be infinite: then the proposal alone ranks.
  Halving(const Valuing& valuing, const Response& response, const Candidates& set, double alpha,
          const HalvingOptions& options);
  Halving(const Halving&) = delete;
  Halving& operator=(const Halving&) = delete;

  // To be asked while the roll-outs grow.
  const Culling& culling() const { return culling_; }
  // Whether a candidate was given up.
  const std::vector<bool>& given_up() const { return given_up_; }
  // The values of all candidates: final ones of those that are left, the last known of others,
  // whose roll-outs have no reward (NaN).
  StepValues value(const Expansion& expansion);

 private:
  // Scores and values of the candidates that are left, from their roll-outs.
  StepValues value_left(std::span<const Rollout> rollouts);
  // Values of all candidates, by the learned value.
  void predict(std::span<const Rollout> rollouts);
  std::vector<bool> survivors(std::span<const Rollout> rollouts, const std::vector<bool>& open);

  const Valuing& valuing_;
  const Response& response_;
  const Candidates& set_;
  double alpha_;
  double errors_;
  std::size_t screen_;  // how many pass; 0 where there is nothing to choose, or it is done
  std::optional<std::size_t> spared_;
  std::vector<bool> given_up_;
  std::vector<double> values_;           // the last known
  std::vector<double> standard_errors_;  // of these
  Culling culling_;
};

}  // namespace tq
