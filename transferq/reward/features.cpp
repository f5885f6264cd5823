#include "transferq/reward/features.hpp"

#include <algorithm>
#include <limits>
#include <span>
#include <string>
#include <utility>

namespace tq {

namespace {

std::vector<Token> before_response(const Policy& base, const Prompt& prompt, bool conversation) {
  return conversation ? base.encode(prompt) : base.model().tokenize("", true);
}

PrefixCacheOptions reading(const FeatureOptions& options, std::size_t prompt) {
  PrefixCacheOptions out;
  out.reading = options.pooling.whole() ? Reading::states : Reading::last;
  out.from = std::max<std::size_t>(prompt, 1) - 1;
  return out;
}

// The feature of a text of so many states; `at` gives one of them.
template <class At>
std::vector<float> pooled(const HeadPooling& pooling, std::size_t count, const At& at) {
  std::vector<float> out;
  const auto add = [&](const auto& numbers) {
    for (const auto x : numbers) out.push_back(static_cast<float>(x));
  };
  if (pooling.last || pooling.end) add(at(count - 1));
  // Of all states, number by number.
  const auto over_all = [&](double start, const auto& join) {
    std::vector<double> joined(at(0).size(), start);
    for (std::size_t i = 0; i < count; ++i) {
      const auto& state = at(i);
      for (std::size_t j = 0; j < joined.size(); ++j) {
        joined[j] = join(joined[j], static_cast<double>(state[j]));
      }
    }
    return joined;
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (pooling.mean) {
    const auto sum = over_all(0, [](double a, double x) { return a + x; });
    for (const double x : sum) out.push_back(static_cast<float>(x / static_cast<double>(count)));
  }
  if (pooling.max) add(over_all(-kInfinity, [](double a, double x) { return std::max(a, x); }));
  if (pooling.min) add(over_all(kInfinity, [](double a, double x) { return std::min(a, x); }));
  return out;
}

std::vector<float> pooled(const Trail& trail, const HeadPooling& pooling) {
  if (!pooling.whole()) return trail.last();
  const auto states = trail.states();
  return pooled(
      pooling, states.size(), [&](std::size_t at) -> const auto& { return *states[at]; });
}

}  // namespace

std::vector<std::string_view> HeadPooling::names() const {
  std::vector<std::string_view> out;
  const auto add = [&](bool wanted, std::string_view name) {
    if (wanted) out.push_back(name);
  };
  add(last, "last");
  add(end, "end");
  add(mean, "mean");
  add(max, "max");
  add(min, "min");
  return out;
}

std::optional<HeadPooling> head_pooling(std::string_view name) {
  if (name == "end") return HeadPooling{.end = true};
  HeadPooling out;
  std::string left = std::string(name) + ",";
  for (const auto& [part, flag] : {std::pair<std::string, bool*>{"last,", &out.last},
                                   {"mean,", &out.mean},
                                   {"max,", &out.max},
                                   {"min,", &out.min}}) {
    if (left.compare(0, part.size(), part) != 0) continue;
    *flag = true;
    left.erase(0, part.size());
  }
  return left.empty() ? std::optional(out) : std::nullopt;
}

FeatureReader::FeatureReader(const Policy& base, SessionPool& sessions, const Prompt& prompt,
                             FeatureOptions options, const Workload& work)
    : options_(options),
      prompt_(before_response(base, prompt, options.conversation)),
      reader_(base, sessions, prompt_.size(), work, reading(options, prompt_.size())) {}

bool FeatureReader::reads(const Stream& stream) const {
  return options_.conversation && !options_.pooling.end &&
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
  const bool end = options_.pooling.end && !draft.whole && model.end() != kNoToken;
  tokens.resize(std::min(tokens.size(), reader_.longest() - (end ? 1 : 0)));
  if (end) tokens.push_back(model.end());
  return tokens;
}

// Whether the states that a draft brings are all that is read of it.
bool FeatureReader::suffices(const Draft& draft) const {
  if (draft.trail.empty() || !options_.pooling.whole()) return !draft.trail.empty();
  if (draft.tokens.empty()) {
    return draft.trail.length() + prompt_.size() == sequence(draft).size() + 1;
  }
  const Model& model = reader_.policy().model();
  std::size_t response = draft.tokens.size();
  while (response > 0 && model.is_end(draft.tokens[response - 1])) --response;
  return draft.trail.length() == response + 1;
}

std::vector<std::vector<float>> FeatureReader::read(std::span<const Draft> drafts) {
  const std::size_t width = reader_.policy().model().hidden_size();
  std::vector<std::vector<float>> features(drafts.size());
  std::vector<std::vector<Token>> sequences;
  std::vector<std::size_t> from;  // which draft a sequence is
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    if (suffices(drafts[i])) {
      features[i] = pooled(drafts[i].trail, options_.pooling);
      continue;
    }
    features[i].assign(width * options_.pooling.parts(), 0.0F);
    std::vector<Token> tokens = sequence(drafts[i]);
    if (tokens.empty()) continue;
    sequences.push_back(std::move(tokens));
    from.push_back(i);
  }
  const auto states = reader_.read(sequences);
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::span<const double> rows(states[i]);
    if (rows.empty()) continue;  // shorter than the prompt, as whole drafts may be
    features[from[i]] = pooled(options_.pooling, rows.size() / width,
                               [&](std::size_t at) { return rows.subspan(at * width, width); });
  }
  return features;
}

std::vector<ModelCost> FeatureReader::costs() const { return reader_.costs(); }

}  // namespace tq
