// One thing of a world varied, all else as it is, and every method solved at each value.
//
//   alpha     decoding temperature on values
//   beta      KL strength of the baselines' alignment
//   quality   of the baseline's reward: lambda r + (1 - |lambda|) noise
//   map       quality at each of four alphas: indirect against direct transfer from that baseline
//   rollouts  N roll-outs a candidate: error of the values, and what the decoder with them is worth
//   horizon   tokens of a roll-out, whose end is scored by the reward of prefixes
//   samples   N of best-of-N
//   frontier  1 / beta' of the laws rho_sft exp(r / beta'): the most reward at each KL
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "transferq/lab/world.hpp"

namespace tq::lab {

struct SweepRow {
  std::string sweep, world, method;
  double value = 0;            // of what is varied
  double alpha = 0, beta = 0;  // as they were
  double expected_reward = 0, kl_to_sft = 0, suboptimality = 0;
  std::optional<double> suboptimality_bound, kl_bound;  // of direct transfer
  // From the value under the policy aligned to the target, which all methods would estimate.
  std::optional<double> value_error;
};

const std::vector<std::string>& sweep_names();
// What a sweep tries if nothing is said.
std::vector<double> sweep_values(const std::string& sweep, const World& world);

struct SweepOptions {
  std::uint64_t seed = 0;    // of noise and roll-outs
  std::size_t repeats = 50;  // draws behind each number of `rollouts`
};

// Throws Error (usage) for an unknown sweep or a value that makes no sense. A world without rewards
// of prefixes has no rows of `horizon`.
std::vector<SweepRow> sweep(const std::string& name, const std::string& world_name,
                            const World& world, const std::vector<double>& values,
                            const SweepOptions& options = {});

// One line a row behind a heading; what a row doesn't have is empty.
std::string sweep_csv(const std::vector<SweepRow>& rows);
// A list of objects; what a row doesn't have is missing.
nlohmann::json sweep_json(const std::vector<SweepRow>& rows);

}  // namespace tq::lab
