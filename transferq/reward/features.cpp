#include "transferq/reward/features.hpp"

#include <algorithm>

namespace tq {

FeatureReader::FeatureReader(const Policy& base, SessionPool& sessions, const Prompt& prompt,
                             FeatureOptions options, const Workload& work)
    : base_(base),
      sessions_(sessions),
      options_(options),
      prompt_(options.conversation ? base.encode(prompt) : base.model().tokenize("", true)) {
  longest_ = sessions.plan_cut(base, prompt_.size(), work);
}

bool FeatureReader::reads(const Stream& stream) const {
  return options_.conversation && !options_.mean && !options_.end && !options_.both &&
         share_session(stream.policy(), base_) && stream.prompt() == prompt_;
}

std::vector<Token> FeatureReader::sequence(const Draft& draft) const {
  const Model& model = base_.model();
  std::vector<Token> tokens;
  if (draft.whole) {
    tokens = model.tokenize(draft.text, true);
  } else {
    std::vector<Token> response;
    if (options_.policy_tokens && !draft.tokens.empty()) {
      response = draft.tokens;
      while (!response.empty() && model.is_end(response.back())) response.pop_back();
    } else {
      response = model.tokenize(draft.text, false);
    }
    tokens = prompt_;
    tokens.insert(tokens.end(), response.begin(), response.end());
  }
  const bool end = options_.end && !draft.whole && model.end() != kNoToken;
  tokens.resize(std::min(tokens.size(), longest_ - (end ? 1 : 0)));
  if (end) tokens.push_back(model.end());
  return tokens;
}

std::vector<std::vector<float>> FeatureReader::read(std::span<const Draft> drafts) {
  std::vector<std::vector<float>> features(drafts.size());
  std::vector<std::vector<Token>> sequences;
  std::vector<std::size_t> from;  // which draft a sequence is
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    features[i] = drafts[i].hidden;
    if (!features[i].empty()) continue;
    features[i].assign(base_.model().hidden_size() * (options_.both ? 2 : 1), 0.0F);
    std::vector<Token> tokens = sequence(drafts[i]);
    if (tokens.empty()) continue;
    sequences.push_back(std::move(tokens));
    from.push_back(i);
  }
  if (sequences.empty()) return features;
  if (!cache_) {
    PrefixCacheOptions options;
    options.reading = options_.both ? Reading::both : options_.mean ? Reading::mean : Reading::last;
    options.from = std::max<std::size_t>(prompt_.size(), 1) - 1;
    options.keep_only_trunk = sessions_.shared(base_);
    cache_.emplace(sessions_.get(base_), options);
  }
  const auto states = cache_->read(sequences);
  for (std::size_t i = 0; i < from.size(); ++i) {
    features[from[i]].assign(states[i].begin(), states[i].end());
  }
  return features;
}

std::vector<ModelCost> FeatureReader::costs() const {
  if (!cache_) return {};
  const std::uint64_t all = cache_->evaluations();
  const auto prompt = std::min<std::uint64_t>(all, prompt_.size());
  return {{base_.model().name(), prompt, all - prompt}};
}

}  // namespace tq
