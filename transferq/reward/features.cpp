#include "transferq/reward/features.hpp"

#include <algorithm>

namespace tq {

namespace {

std::vector<Token> before_response(const Policy& base, const Prompt& prompt, bool conversation) {
  return conversation ? base.encode(prompt) : base.model().tokenize("", true);
}

PrefixCacheOptions reading(const FeatureOptions& options, std::size_t prompt) {
  PrefixCacheOptions out;
  out.reading = options.both ? Reading::both : options.mean ? Reading::mean : Reading::last;
  out.from = std::max<std::size_t>(prompt, 1) - 1;
  return out;
}

}  // namespace

FeatureReader::FeatureReader(const Policy& base, SessionPool& sessions, const Prompt& prompt,
                             FeatureOptions options, const Workload& work)
    : options_(options),
      prompt_(before_response(base, prompt, options.conversation)),
      reader_(base, sessions, prompt_.size(), work, reading(options, prompt_.size())) {}

bool FeatureReader::reads(const Stream& stream) const {
  return options_.conversation && !options_.mean && !options_.end && !options_.both &&
         share_session(stream.policy(), reader_.policy()) && stream.prompt() == prompt_;
}

std::vector<Token> FeatureReader::sequence(const Draft& draft) const {
  const Model& model = reader_.policy().model();
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
  tokens.resize(std::min(tokens.size(), reader_.longest() - (end ? 1 : 0)));
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
    features[i].assign(reader_.policy().model().hidden_size() * (options_.both ? 2 : 1), 0.0F);
    std::vector<Token> tokens = sequence(drafts[i]);
    if (tokens.empty()) continue;
    sequences.push_back(std::move(tokens));
    from.push_back(i);
  }
  const auto states = reader_.read(sequences);
  for (std::size_t i = 0; i < from.size(); ++i) {
    features[from[i]].assign(states[i].begin(), states[i].end());
  }
  return features;
}

std::vector<ModelCost> FeatureReader::costs() const { return reader_.costs(); }

}  // namespace tq
