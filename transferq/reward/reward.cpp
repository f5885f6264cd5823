#include "transferq/reward/reward.hpp"

#include <fmt/format.h>

#include <cmath>

#include "transferq/core/error.hpp"

namespace tq {

namespace {

// All that a score may depend on.
std::string identity(const Draft& draft) {
  std::string out(reinterpret_cast<const char*>(draft.tokens.data()),
                  draft.tokens.size() * sizeof(Token));
  return fmt::format("{}{}{} {}", draft.whole ? 'w' : 'r', draft.ended ? 'e' : 'o',
                     draft.tokens.size(), out + draft.text);
}

void require_finite(std::span<const Draft> drafts, std::span<const double> scores) {
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (std::isfinite(scores[i])) continue;
    throw Error(ErrorKind::input,
                fmt::format("the reward of the response '{}' is {}, not a finite number; check the "
                            "reward",
                            drafts[i].text, scores[i]));
  }
}

}  // namespace

std::vector<double> Scorer::score(std::span<const Draft> drafts) {
  std::map<std::string, double> known;
  std::vector<std::string> keys;    // one a draft, "" where it brings its states
  std::vector<Draft> fresh;         // what is computed
  std::vector<std::size_t> places;  // of each of those, where it came first
  for (const Draft& draft : drafts) {
    keys.push_back(draft.trail.empty() ? identity(draft) : "");
    const std::string& key = keys.back();
    if (!key.empty()) {
      if (!known.emplace(key, 0).second) continue;
      if (const auto before = known_.find(key); before != known_.end()) {
        known[key] = before->second;
        continue;
      }
    }
    places.push_back(keys.size() - 1);
    fresh.push_back(draft);
  }
  std::vector<double> out(drafts.size());
  if (!fresh.empty()) {
    const std::vector<double> scores = compute(fresh);
    require_finite(fresh, scores);
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      out[places[i]] = scores[i];
      if (!keys[places[i]].empty()) known[keys[places[i]]] = scores[i];
    }
  }
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    if (!keys[i].empty()) out[i] = known.at(keys[i]);
  }
  known_ = std::move(known);
  return out;
}

std::uint64_t Scorer::prompt_evaluations() const {
  std::uint64_t sum = 0;
  for (const ModelCost& cost : costs()) sum += cost.prompt;
  return sum;
}

std::uint64_t Scorer::evaluations() const {
  std::uint64_t sum = 0;
  for (const ModelCost& cost : costs()) sum += cost.responses;
  return sum;
}

}  // namespace tq
