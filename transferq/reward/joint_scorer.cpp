#include "transferq/reward/joint_scorer.hpp"

#include <algorithm>
#include <utility>

namespace tq {

JointScorer::JointScorer(std::vector<std::unique_ptr<Scorer>> inner, const Combine& combine)
    : inner_(std::move(inner)), combine_(combine), trusted_(inner_.size(), true) {}

bool JointScorer::reads(const Stream& stream) const {
  std::vector<bool> verdicts;
  for (const auto& scorer : inner_) verdicts.push_back(scorer->reads(stream));  // each is asked
  if (std::find(verdicts.begin(), verdicts.end(), true) == verdicts.end()) return false;
  reads_any_ = true;
  for (std::size_t i = 0; i < inner_.size(); ++i) trusted_[i] = trusted_[i] && verdicts[i];
  return true;
}

std::vector<double> JointScorer::compute(std::span<const Draft> drafts) {
  std::vector<Draft> bare;  // without hidden states, where a scorer must not see them
  const bool hidden =
      std::any_of(drafts.begin(), drafts.end(), [](const Draft& d) { return !d.trail.empty(); });
  std::vector<std::vector<double>> scores;
  for (std::size_t i = 0; i < inner_.size(); ++i) {
    const bool strip = hidden && !(reads_any_ && trusted_[i]);
    if (strip && bare.empty()) {
      bare.assign(drafts.begin(), drafts.end());
      for (Draft& draft : bare) draft.trail = {};
    }
    scores.push_back(inner_[i]->score(strip ? std::span<const Draft>(bare) : drafts));
  }
  std::vector<double> out;
  std::vector<double> of_draft(inner_.size());
  for (std::size_t d = 0; d < drafts.size(); ++d) {
    for (std::size_t i = 0; i < inner_.size(); ++i) of_draft[i] = scores[i][d];
    out.push_back(combine_(of_draft));
  }
  return out;
}

std::vector<ModelCost> JointScorer::costs() const {
  std::vector<ModelCost> out;
  for (const auto& scorer : inner_) {
    for (const ModelCost& cost : scorer->costs()) {
      const auto same = std::find_if(out.begin(), out.end(),
                                     [&](const ModelCost& c) { return c.model == cost.model; });
      if (same == out.end()) {
        out.push_back(cost);
      } else {
        same->prompt += cost.prompt;
        same->responses += cost.responses;
      }
    }
  }
  return out;
}

}  // namespace tq
