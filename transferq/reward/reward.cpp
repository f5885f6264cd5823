#include "transferq/reward/reward.hpp"

#include <fmt/format.h>

#include <cmath>

#include "transferq/core/error.hpp"

namespace tq {

std::vector<double> Scorer::score(std::span<const Draft> drafts) {
  std::vector<double> scores = compute(drafts);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (std::isfinite(scores[i])) continue;
    throw Error(ErrorKind::input,
                fmt::format("the reward of the response '{}' is {}, not a finite number; check the "
                            "reward",
                            drafts[i].text, scores[i]));
  }
  return scores;
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
