#include "transferq/decode/token_value.hpp"

#include <algorithm>

#include "transferq/core/logspace.hpp"
#include "transferq/decode/response.hpp"
#include "transferq/engine/model.hpp"

namespace tq {
namespace {

std::vector<double> pick(std::span<const double> from, std::span<const Token> tokens) {
  std::vector<double> out;
  for (const Token token : tokens) out.push_back(from[static_cast<std::size_t>(token)]);
  return out;
}

// The roll-outs' finished texts, and their rewards by one scorer, all in one call.
std::vector<Draft> drafts_of(const Response& response, std::span<const Token> tokens,
                             const Expansion& expansion) {
  std::vector<Draft> drafts;
  for (const Rollout& rollout : expansion.rollouts) {
    std::vector<Token> more{tokens[rollout.candidate]};
    more.insert(more.end(), rollout.tokens.begin(), rollout.tokens.end());
    drafts.push_back(response.draft(more));
  }
  return drafts;
}

std::vector<double> score(Stream& roller, Scorer& scorer, std::vector<Draft>& drafts,
                          const Expansion& expansion) {
  const bool hidden = scorer.reads(roller);
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    // A candidate that ends the response leaves the text, and so its state, as it is.
    const std::vector<float>& rolled = expansion.rollouts[i].hidden;
    drafts[i].hidden = !hidden          ? std::vector<float>()
                       : rolled.empty() ? roller.state().hidden
                                        : rolled;
  }
  return scorer.score(drafts);
}

}  // namespace

Decoded TokenValueDecoder::decode(const DecodeTask& task, Evaluations& spent) const {
  Stream& proposal = proposal_stream(task, options_.proposal);
  Stream& roller = proposal_stream(task, options_.rollouts);
  const Model& model = roller.policy().model();
  Scorer* const baseline_scorer =
      valuation_->reads_baseline_reward() ? task.baseline_scorer : nullptr;
  const bool hidden =
      task.scorer->reads(roller) || (baseline_scorer != nullptr && baseline_scorer->reads(roller));
  Response response(task);
  double kl = 0;
  while (response.open()) {
    check_stop(task.stop);
    RandomKey key = task.key;
    key.step = static_cast<std::uint32_t>(response.size());

    // Candidates, by the proposal.
    const std::vector<double> proposed = log_softmax(proposal.state().logits);
    const std::vector<std::size_t> best = candidates(proposed, options_.top_k);
    const std::vector<Token> tokens(best.begin(), best.end());

    // Values, by roll-outs of the baseline.
    Expansion expansion =
        expander_->expand({roller.branch(), tokens, response.room(), hidden, key, task.stop});
    spent.policy += expansion.evaluations;
    std::vector<Draft> drafts = drafts_of(response, tokens, expansion);
    const std::vector<double> rewards = score(roller, *task.scorer, drafts, expansion);
    std::vector<double> baseline_rewards;
    if (baseline_scorer != nullptr) {
      baseline_rewards = score(roller, *baseline_scorer, drafts, expansion);
    }
    const Valued valued =
        valuation_->value({expansion.rollouts, rewards, baseline_rewards, tokens.size()});
    const std::vector<double>& values = valued.values;

    // The tilted distribution, and the choice from it.
    const std::vector<double> logprobs = pick(proposed, tokens);
    const std::vector<double> probabilities = reweight(logprobs, values, options_.alpha);
    const std::size_t chosen = choose(probabilities, options_.choose, uniform(key));
    const std::vector<double> reference = pick(log_softmax(task.reference.state().logits), tokens);
    kl += options_.choose == Choose::greedy ? -reference[chosen]
                                            : kl_divergence(probabilities, reference);

    // Commit: the chosen branch becomes the trunk, the others are dropped.
    const Token token = tokens[chosen];
    if (expansion.branches[chosen]) {
      roller.adopt(std::move(expansion.branches[chosen]), std::move(expansion.outputs[chosen]));
    } else if (!model.is_end(token)) {
      roller.append(token);
    }
    Stream& other = &roller == &task.reference ? task.baseline : task.reference;
    if (&other != &roller && !model.is_end(token)) other.append(token);

    Step step{{}, chosen, token, "", static_cast<Token>(argmax(proposed)), valued.effective};
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      step.candidates.push_back(
          {tokens[i], model.piece(tokens[i], true), logprobs[i], values[i], probabilities[i]});
    }
    response.add(std::move(step));
  }
  return response.finish(roller, kl);
}

Workload TokenValueDecoder::workload(std::size_t max_tokens) const {
  return {max_tokens, options_.top_k * expander_->width(),
          std::min(expander_->depth(), std::max<std::size_t>(max_tokens, 1))};
}

}  // namespace tq
