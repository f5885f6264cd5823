#include "transferq/reward/encoder_scorer.hpp"

#include <algorithm>
#include <unordered_set>

namespace tq {

EncoderPool::Session EncoderPool::take(int threads) const {
  {
    const std::lock_guard lock(mutex_);
    const auto it = std::find_if(idle_.begin(), idle_.end(),
                                 [&](const auto& entry) { return entry.first == threads; });
    if (it != idle_.end()) {
      Session session = std::move(it->second);
      idle_.erase(it);
      return session;
    }
  }
  return encoder_->open_session(threads);
}

void EncoderPool::give(int threads, Session session) const noexcept {
  const std::lock_guard lock(mutex_);
  try {
    idle_.emplace_back(threads, std::move(session));
  } catch (const std::bad_alloc&) {  // then this one is not kept
  }
}

std::vector<double> EncoderScorer::compute(std::span<const Draft> drafts) {
  std::vector<std::string> fresh;
  std::unordered_set<std::string_view> seen;
  for (const Draft& draft : drafts) {
    if (known_.count(draft.text) == 0 && seen.insert(draft.text).second) {
      fresh.push_back(draft.text);
    }
  }
  if (!fresh.empty()) {
    const std::vector<double> scores = pool_.with(threads_, [&](EncoderSession& session) {
      const std::uint64_t before = session.evaluations();
      std::vector<double> out = evaluate(session, fresh);
      evaluations_ += session.evaluations() - before;
      return out;
    });
    for (std::size_t i = 0; i < fresh.size(); ++i) known_.emplace(fresh[i], scores[i]);
  }
  std::vector<double> out;
  for (const Draft& draft : drafts) out.push_back(known_.at(draft.text));
  return out;
}

std::vector<ModelCost> EncoderScorer::costs() const {
  return {{pool_.encoder().name(), 0, evaluations_}};
}

}  // namespace tq
