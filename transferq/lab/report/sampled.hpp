// The production decoders run in a world, many times, beside what the exact solution says of them:
// decode/token_value with rollout/continuation and the valuations of value/, decode/best_of and
// decode/plain on the tabular engine. Not a proof but a check that the two, which share no code,
// agree.
//
// Thread-safety: pure function.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "transferq/lab/world.hpp"

namespace tq::lab {

struct SampleOptions {
  std::size_t runs = 500;    // responses of each method
  std::size_t rollouts = 8;  // a candidate
  std::uint64_t seed = 0;
  std::stop_token stop = {};
};

// One number of one method.
struct SampledRow {
  std::string method, number;  // "reward", "KL", or "Q(2)": the value of the first token 2
  double exact = 0;            // with exact values
  // With values from `rollouts` roll-outs, drawn by the laboratory itself: a mean and its standard
  // error, 0 where nothing was drawn.
  double expected = 0, expected_error = 0;
  // The production decoder's mean and its standard error; that of a reward or value is no less than
  // the range of r over the number of runs, for draws that are all equal show no variance.
  double sampled = 0, error = 0;

  // By how many standard errors the two differ; 0 where both have none and agree to 1e-9.
  double deviation() const;
};

// ARGS is left out where the world has no rewards of prefixes. Throws Error.
std::vector<SampledRow> sample(const World& world, const SampleOptions& options);

}  // namespace tq::lab
