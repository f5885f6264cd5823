// Scores drafts by several scorers and joins each draft's scores into one.
//
// Hidden states: a decoder asks reads(stream) and then may hand drafts over with that stream's
// trail, which a scorer trusts. This one reads a stream if any inner scorer does, and hands a trail
// on to those inner scorers alone that read every stream it said yes for: whichever of those it is
// from, it is theirs. All others get drafts without it and evaluate.
// Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "transferq/reward/reward.hpp"

namespace tq {

class JointScorer final : public Scorer {
 public:
  // From the inner scores of a draft, in order, to its score.
  using Combine = std::function<double(std::span<const double>)>;

  JointScorer(std::vector<std::unique_ptr<Scorer>> inner, const Combine& combine);
  bool reads(const Stream& stream) const override;
  // One entry a model, the inner ones' together.
  std::vector<ModelCost> costs() const override;

 private:
  std::vector<double> compute(std::span<const Draft> drafts) override;

  std::vector<std::unique_ptr<Scorer>> inner_;
  const Combine& combine_;
  mutable bool reads_any_ = false;     // a stream was said yes for
  mutable std::vector<bool> trusted_;  // inner scorers that read every such stream
};

}  // namespace tq
