// Worlds by seed: the same options give the same world, on any machine.
//
//   reference        softmax of normal draws of standard deviation `sharpness`
//   reward           uniform in [0, 1], of each finished response
//   baseline reward  quality r + (1 - |quality|) noise, noise uniform in [0, 1]
//   prefix reward    uniform in [0, 1] where the response is unfinished: ARGS can't know better
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>

#include "transferq/lab/world.hpp"

namespace tq::lab {

struct RandomWorldOptions {
  std::uint64_t seed = 0;
  std::size_t vocabulary = 4;
  std::size_t max_tokens = 4;
  std::optional<Token> end = {};
  double alpha = 0.25;
  double beta = 0.4;
  std::size_t top_k = 2;
  double quality = 0.6;
  double sharpness = 1.5;
};

// Throws Error (usage) for options that make no world.
World random_world(const RandomWorldOptions& options);

// The world with the baseline's reward drawn anew, by the formula above; the noise is that of
// random_world() with this seed.
World with_quality(World world, double quality, std::uint64_t seed);

}  // namespace tq::lab
