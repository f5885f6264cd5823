// The states that a learned value reads: the hidden state of the policy after each candidate that a
// run has logged with its value, and what the reward says of the text there, the one-step value
// that a learned one has to beat.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "transferq/fit/linear_fit.hpp"
#include "transferq/fit/value_data.hpp"
#include "transferq/policy/policy.hpp"
#include "transferq/reward/reward.hpp"

namespace tq {

// One row a candidate, those of a step side by side. Candidates that end the response are not
// among them: their value is the reward itself.
struct ValueRows {
  FeatureMatrix states;          // [rows x hidden size], after the final norm
  std::vector<double> values;    // [rows] that roll-outs gave them
  std::vector<double> logprobs;  // [rows] under the proposal
  std::vector<double> one_step;  // [rows]; empty where the reward can't score unfinished responses
  std::vector<std::size_t> first;   // [steps + 1] the first row of each step, then their number
  std::vector<std::string> groups;  // [steps] equal for steps of one prompt
  std::uint64_t evaluations = 0;

  std::size_t steps() const { return groups.size(); }
  std::size_t rows() const { return values.size(); }
};

// Reads the states of all runs, by as many workers as `session` has threads. `policy` is the one
// that rolls out; `done` is called after each run, by any thread. Throws Error, naming file and
// line, for a run that does not fit the model, and `interrupted` when stopped.
ValueRows read_value_states(const std::vector<LoggedRun>& runs, const Policy& policy,
                            const Reward& reward, const SessionOptions& session,
                            std::stop_token stop = {}, const std::function<void()>& done = {});

}  // namespace tq
