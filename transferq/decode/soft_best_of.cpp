#include "transferq/decode/soft_best_of.hpp"

#include <algorithm>
#include <cmath>

#include "transferq/core/logspace.hpp"
#include "transferq/decode/choice.hpp"
#include "transferq/decode/drawing.hpp"

namespace tq {

Decoded SoftBestOfDecoder::decode(const DecodeTask& task, Evaluations& spent) const {
  Drawing drawing(task, proposal_stream(task, proposal_));
  std::vector<Drawn> drawn = drawing.start(samples_);
  drawing.grow(drawn, task.max_tokens);
  spent.policy += drawing.evaluations();
  drawing.score(Response(task), drawn);

  std::vector<double> rewards;
  for (const Drawn& d : drawn) rewards.push_back(*d.reward);
  const std::vector<double> even(samples_, 0.0);
  const std::vector<double> weights = reweight(even, rewards, alpha_);
  RandomKey key = task.key;
  key.position = 1;  // the draws of tokens have position 0
  const std::size_t chosen = choose(weights, Choose::sample, uniform(key));

  std::vector<double> logs;
  for (const double w : weights) logs.push_back(std::log(w));
  const double excess = std::log(static_cast<double>(samples_)) - entropy(logs);
  return drawing.answer(drawn[chosen], std::clamp(excess, 0.0, selection_bound(samples_)),
                        KlKind::estimate);
}

}  // namespace tq
