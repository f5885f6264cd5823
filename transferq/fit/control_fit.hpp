// From contrasts to a control vector: reads the residual stream of each layer for both texts of
// each contrast, and finds the direction in which they differ (direction.hpp).
//
// Scale: a direction is added to its layer's state, and what is added to one layer is carried on to
// all behind it. Of n layers that are steered, each direction is the measured one divided by
// sqrt(n): were they orthogonal, what is added up on the way at scale 1 would be as long as the
// difference that the contrast itself makes in a layer (in root mean square).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <stop_token>

#include "transferq/fit/contrast.hpp"
#include "transferq/fit/direction.hpp"

namespace tq {

struct ControlOptions {
  DirectionMethod method = DirectionMethod::mean;
  bool mean = true;  // the mean over the tokens that are read; else the last one alone
  // The layers that are steered, from 1 to the last but for 0 = all of them.
  int first_layer = 0, last_layer = 0;
  SessionOptions session;  // its threads are shared among the workers
};

struct ControlFit {
  std::map<int, Direction> directions;  // by layer; the values scaled, the lengths as measured
  std::string architecture;             // of the model
  std::size_t layers = 0;               // of the model
  std::uint64_t evaluations = 0;
};

// The result does not depend on the threads. `done` is called after each contrast, by any thread.
// Throws Error: usage for layers that the model does not have, input for a text longer than the
// model's context (naming it) or when the contrasts make no difference, `interrupted` when stopped.
ControlFit fit_control(std::span<const Contrast> contrasts, const Policy& base,
                       const ControlOptions& options, std::stop_token stop = {},
                       const std::function<void()>& done = {});

}  // namespace tq
