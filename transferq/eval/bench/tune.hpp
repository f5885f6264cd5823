// Which of the engine's settings are the fastest on this machine for a policy and a shape of
// batches: each is measured by the engine alone, and what it computes is compared with what the
// first does, so that none is taken that is wrong.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "transferq/eval/bench/measure.hpp"

namespace tq {

struct TuneRow {
  std::string what;                 // "threads 2", "flash attention on"
  SessionOptions session;           // as it was measured
  double evaluations_a_second = 0;  // the prompt's own among them
  double differs = 0;  // the largest difference of a log-probability from the first row's
  bool right = true;   // it differs by no more than rounding does
};

struct TuneResult {
  std::vector<TuneRow> rows;  // in the order they were measured
  SessionOptions best;
  std::vector<double> expected;  // log-probabilities that all of these were compared with
};

// Beyond this much, a difference of log-probabilities is no rounding.
inline constexpr double kRounding = 0.05;

// Measures a policy under settings, and compares what it computes with `expected`,
// log-probabilities of what follows the prompt.
TuneRow measure_setting(std::string what, const Policy& policy, const Prompt& prompt,
                        BatchShape shape, std::size_t evaluations, const BenchOptions& options,
                        std::span<const double> expected);

// Tries threads (those of `options.session`, then fewer powers of two), then flash attention, then
// smaller micro-batches that divide the prompt, each with the best of what was tried before. A
// setting replaces another when it is right and at least 3% faster, and once more when both are
// measured again. `evaluations` are measured of each. `show` is called with each row as it is
// there. Throws Error as measure_engine does.
TuneResult tune(const Policy& policy, const Prompt& prompt, BatchShape shape,
                std::size_t evaluations, const BenchOptions& options,
                const std::function<void(const TuneRow&)>& show = {});

}  // namespace tq
