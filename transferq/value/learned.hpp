// A learned value: what the roll-outs from a state are worth, read from the policy's hidden state
// there instead of being rolled out. Two heads on one state h:
//   mean   V(h) = w . h + b, fitted by ridge regression on the values of roll-outs
//   soft   V_beta(h) = beta log sum_l p_l(h) exp(r_l / beta), from the distribution of the reward
//          over levels r_l, p(h) = softmax(W h + c), for any beta without another fit
//          (Zhou et al., "Q#", arXiv 2502.20548, section 3: the value of a distribution over
//          rewards; for beta to infinity it is the distribution's mean)
// `tq fit --value` makes one. Immutable, thread-safe.
#pragma once

#include <span>
#include <string>

#include "transferq/engine/llama/value_file.hpp"
#include "transferq/engine/model.hpp"

namespace tq {

class LearnedValue {
 public:
  explicit LearnedValue(ValueFile file);

  const ValueFile& file() const { return file_; }
  // Changes whenever the values may change.
  const std::string& fingerprint() const { return fingerprint_; }
  // The state is [hidden size], after the final norm; values are in units of the reward.
  double mean(std::span<const float> state) const;
  bool has_levels() const { return !file_.levels.empty(); }
  // Only where has_levels(); beta > 0.
  double soft(std::span<const float> state, double beta) const;

 private:
  ValueFile file_;
  std::string fingerprint_;
};

// Throws Error (model) when it was fitted on another model than the one that rolls out, unless
// `force`: then only its width must fit.
void check_model(const LearnedValue& value, const Model& model, bool force);

}  // namespace tq
