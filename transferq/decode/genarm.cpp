#include "transferq/decode/genarm.hpp"

#include <algorithm>

#include "transferq/core/logspace.hpp"
#include "transferq/decode/response.hpp"
#include "transferq/engine/model.hpp"
#include "transferq/rollout/rollout.hpp"

namespace tq {
namespace {

// The value of a token that the baseline never says: as good as minus infinity, but finite, so that
// candidates of which it says none are left to the reference.
constexpr double kNever = -1e30;

}  // namespace

Decoded GenArmDecoder::decode(const DecodeTask& task, Evaluations&) const {
  const Model& model = task.reference.policy().model();
  Response response(task);
  double kl = 0;
  while (response.open()) {
    check_stop(task.stop);
    const std::vector<double> reference = log_softmax(task.reference.state().logits);
    const std::vector<double> aligned = log_softmax(task.baseline.state().logits);
    const std::vector<std::size_t> best = candidates(reference, top_k_);
    std::vector<double> logprobs, values;
    for (const std::size_t z : best) {
      logprobs.push_back(reference[z]);
      values.push_back(std::max(aligned[z] - reference[z], kNever));
    }

    RandomKey key = task.key;
    key.step = static_cast<std::uint32_t>(response.size());
    const std::vector<double> probabilities = reweight(logprobs, values, alpha_);
    const std::size_t chosen = choose(probabilities, choose_, uniform(key));
    kl += choose_ == Choose::greedy ? -logprobs[chosen] : kl_divergence(probabilities, logprobs);

    const auto token = static_cast<Token>(best[chosen]);
    if (!model.is_end(token)) {  // it is no text to go on from
      task.reference.append(token);
      if (&task.baseline != &task.reference) task.baseline.append(token);
    }
    Step step{{}, chosen, token, "", static_cast<Token>(best.front())};
    for (std::size_t i = 0; i < best.size(); ++i) {
      const auto candidate = static_cast<Token>(best[i]);
      step.candidates.push_back(
          {candidate, model.piece(candidate, true), logprobs[i], values[i], probabilities[i]});
    }
    response.add(std::move(step));
  }
  // A reward may read the states of either.
  const bool baseline = task.scorer != nullptr && !task.scorer->reads(task.reference);
  return response.finish(baseline ? task.baseline : task.reference, kl);
}

}  // namespace tq
