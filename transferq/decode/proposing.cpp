#include "transferq/decode/proposing.hpp"

#include <cmath>
#include <limits>

#include "transferq/core/logspace.hpp"
#include "transferq/decode/gate.hpp"
#include "transferq/decode/kl_budget.hpp"
#include "transferq/decode/tail.hpp"
#include "transferq/rollout/blocks.hpp"

namespace tq {
namespace {

Candidates draw_blocks(std::size_t count, std::span<const double> proposed, const RandomKey& key) {
  Candidates out;
  for (std::size_t c = 0; c < count; ++c) {
    out.tokens.push_back(static_cast<Token>(sample(proposed, uniform(block_key(key, c, 0)))));
  }
  out.logprobs.assign(count, -std::log(static_cast<double>(count)));
  out.reference = out.logprobs;
  return out;
}

}  // namespace

Candidates propose(const ProposingOptions& options, std::span<const double> proposed,
                   std::span<const double> reference, const RandomKey& key) {
  if (options.block > 1) return draw_blocks(options.top_k, proposed, key);
  const std::vector<std::size_t> best =
      pass_gate(proposed, candidates(proposed, options.top_k), options.min_p);
  Candidates out;
  for (const std::size_t z : best) {
    out.tokens.push_back(static_cast<Token>(z));
    out.logprobs.push_back(proposed[z]);
    out.reference.push_back(reference[z]);
  }
  if (!options.whole) return out;
  const Tail tail = tail_of(proposed, reference, best);
  if (tail.logprob > -std::numeric_limits<double>::infinity()) {
    out.logprobs.push_back(tail.logprob);
    out.reference.push_back(tail.reference);
  }
  return out;
}

StepLaw tilt(const Candidates& candidates, std::vector<double> values, double alpha,
             std::optional<double> nats) {
  if (values.empty()) {
    return {softmax(candidates.logprobs), std::numeric_limits<double>::infinity()};
  }
  if (candidates.tail()) {
    const std::span valued(candidates.logprobs.data(), values.size());
    values.push_back(mean_value(valued, values));
  }
  if (nats) alpha = alpha_within(candidates.logprobs, values, candidates.reference, *nats);
  return {reweight(candidates.logprobs, values, alpha), alpha};
}

double step_kl(const Candidates& candidates, const StepLaw& law, std::size_t chosen, Choose how,
               bool blocks) {
  if (how == Choose::sample) return kl_divergence(law.probabilities, candidates.reference);
  if (!blocks) return -candidates.reference[chosen];
  const auto n = static_cast<double>(candidates.tokens.size());
  return std::log(n) - (n - 1) / n;
}

}  // namespace tq
