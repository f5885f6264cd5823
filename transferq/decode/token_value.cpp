#include "transferq/decode/token_value.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "transferq/core/logspace.hpp"
#include "transferq/decode/gumbel.hpp"
#include "transferq/decode/halving.hpp"
#include "transferq/decode/kl_budget.hpp"
#include "transferq/decode/proposing.hpp"
#include "transferq/decode/response.hpp"
#include "transferq/decode/tail.hpp"
#include "transferq/decode/valuing.hpp"
#include "transferq/engine/model.hpp"
#include "transferq/rollout/ahead.hpp"

namespace tq {
namespace {

// Whether the values of a step's candidates could change its choice: not where a gate left one
// alone, nor where the proposal itself spends a budget's share.
bool worth_valuing(const Candidates& set, bool gated, const std::optional<double>& share) {
  if (set.tokens.size() == 1 && (gated || share)) return false;
  return !share || (*share > 0 && kl_divergence(softmax(set.logprobs), set.reference) <= *share);
}

// The candidates, those that were given up being impossible.
Candidates without(Candidates set, const std::vector<bool>& given_up) {
  for (std::size_t i = 0; i < given_up.size(); ++i) {
    if (given_up[i]) set.logprobs[i] = -std::numeric_limits<double>::infinity();
  }
  return set;
}

// The candidate that a greedy roll-out from here would begin with, if it is one.
std::optional<std::size_t> likeliest(const Candidates& set, Stream& roller) {
  const auto token = static_cast<Token>(argmax(roller.state().logits));
  const auto at = std::find(set.tokens.begin(), set.tokens.end(), token);
  if (at == set.tokens.end()) return std::nullopt;
  return static_cast<std::size_t>(at - set.tokens.begin());
}

// Their values, those of others being the least of theirs: what is impossible must not be the best.
std::vector<double> of_left(std::vector<double> values, const std::vector<bool>& given_up) {
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < given_up.size(); ++i) {
    if (!given_up[i]) least = std::min(least, values[i]);
  }
  for (std::size_t i = 0; i < given_up.size(); ++i) {
    if (given_up[i]) values[i] = least;
  }
  return values;
}

Token draw_tail_token(std::span<const double> proposed, const Candidates& set, RandomKey key) {
  key.sample = 1;  // the choice of the tail was drawn with 0
  const std::vector<std::size_t> valued(set.tokens.begin(), set.tokens.end());
  return static_cast<Token>(draw_tail(proposed, valued, uniform(key)));
}

// A step's candidates as they are shown. Under a budget the chosen token may be none of them: then
// it is shown last.
void show(Step& step, const Model& model, const Candidates& set, const Expansion& expansion,
          std::span<const double> proposed, std::span<const double> values, const StepLaw& law) {
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t i = 0; i < set.tokens.size(); ++i) {
    const Token token = set.tokens[i];
    step.candidates.push_back({token, model.piece(token, true),
                               proposed[static_cast<std::size_t>(token)],
                               values.empty() ? unknown : values[i], law.probabilities[i]});
    if (expansion.blocks.empty()) continue;
    CandidateView& view = step.candidates.back();
    view.block = {token};
    view.logprob += expansion.blocks[i].logprob;
    for (const Token more : expansion.blocks[i].tokens) {
      view.block.push_back(more);
      view.text += model.piece(more, true);
    }
  }
  if (step.chosen < set.tokens.size()) return;
  const double logprob = proposed[static_cast<std::size_t>(step.token)];
  step.candidates.push_back({step.token, model.piece(step.token, true), logprob, unknown,
                             law.probabilities.back() * std::exp(logprob - set.logprobs.back())});
}

// Puts candidates that could not be drawn back where they were among the others.
void show_spared(Step& step, const Model& model, const GumbelDraw& draw) {
  const Candidates& all = draw.all();
  std::vector<CandidateView> views;
  std::size_t next = 0;  // of those that are left
  for (std::size_t i = 0; i < all.tokens.size(); ++i) {
    if (next < draw.places().size() && draw.places()[next] == i) {
      views.push_back(std::move(step.candidates[next++]));
      continue;
    }
    views.push_back({all.tokens[i], model.piece(all.tokens[i], true), all.logprobs[i],
                     std::numeric_limits<double>::quiet_NaN(), 0});
    views.back().given_up = true;
  }
  step.candidates = std::move(views);
  step.chosen = draw.places()[step.chosen];
}

}  // namespace

// What the sum over the steps is: see step_kl and committed_kl.
KlKind TokenValueDecoder::kl_kind(bool rolled_by_reference) const {
  if (options_.choose == Choose::gumbel && options_.range.bounded()) return KlKind::bound;
  if (options_.block == 1 && options_.commit.tokens == 1) return KlKind::exact;
  const bool certain = options_.greedy_rollouts && options_.commit.tokens > 1;
  if (certain && options_.block == 1 && options_.choose == Choose::greedy) return KlKind::exact;
  return rolled_by_reference && !certain ? KlKind::bound : KlKind::estimate;
}

Decoded TokenValueDecoder::decode(const DecodeTask& task, Evaluations& spent) const {
  Stream& proposal = proposal_stream(task, options_.proposal);
  Stream& roller = proposal_stream(task, options_.rollouts);
  Stream& other = &roller == &task.reference ? task.baseline : task.reference;
  const Model& model = roller.policy().model();
  const Valuing valuing(*valuation_, roller, task, options_.learned);
  const bool predicting = options_.learned.head != nullptr && options_.screen == 0;
  const bool by_reference = &roller == &task.reference;
  const bool blocks = options_.block > 1;
  const bool ratios = !by_reference && step_tokens() > 1;  // of what is committed, to the reference
  const ProposingOptions proposing{options_.top_k, options_.block, gate(),
                                   options_.kl_budget.has_value()};
  std::optional<KlBudget> budget;
  if (options_.kl_budget) budget.emplace(*options_.kl_budget);
  Response response(task);
  std::optional<Ahead> ahead;  // left of the last winner's roll-out
  double kl = 0;
  while (response.open()) {
    check_stop(task.stop);
    RandomKey key = task.key;
    key.step = static_cast<std::uint32_t>(response.size());

    // Candidates, by the proposal.
    const std::vector<double> proposed = log_softmax(proposal.state().logits);
    Candidates all = propose(
        proposing, proposed,
        &proposal == &task.reference ? proposed : log_softmax(task.reference.state().logits), key);
    const bool rolling = options_.positions.roll_out(response.size(), response.room());
    const bool plain = !rolling && options_.elsewhere == Elsewhere::plain;
    const double alpha = plain     ? std::numeric_limits<double>::infinity()
                         : rolling ? options_.alpha
                                   : options_.alpha / options_.text_weight;
    std::optional<GumbelDraw> draw;
    if (options_.choose == Choose::gumbel) {  // plainly there is nothing to spare
      draw.emplace(std::move(all), plain ? Range() : options_.range, alpha, key);
    }
    const Candidates& set = draw ? draw->left() : all;
    std::optional<double> share;
    // The room of roll-outs: none behind the candidate where there are to be none.
    const std::size_t room = rolling ? response.room() : std::min(response.room(), options_.block);
    if (budget) share = budget->share(std::min(step_tokens(), room), response.room());

    // Values, by roll-outs of the baseline; none where they could not change the choice.
    const bool rolls = expander_->depth() > options_.block && room > options_.block;
    const bool predicts = predicting && room > 1;  // the reward of the last token is known
    Expansion expansion;
    StepValues valued;
    std::vector<bool> given_up;
    if (!plain && worth_valuing(set, proposing.min_p > 0 || draw, share)) {
      std::optional<Halving> halving;
      if (options_.halvings > 0 || options_.screen > 0) {
        const std::size_t horizon = std::min(expander_->depth(), room) - options_.block;
        halving.emplace(
            valuing, response, set, options_.alpha,
            HalvingOptions{horizon, options_.halvings, options_.halving_errors, options_.screen,
                           options_.greedy_rollouts ? likeliest(set, roller) : std::nullopt});
      }
      expansion = expander_->expand(
          {roller.branch(), set.tokens, room, valuing.reads_states(), key, task.stop,
           options_.commit.tokens - 1,
           blocks || options_.commit.confidence > 0 || options_.greedy_rollouts == by_reference,
           &ahead, halving ? &halving->culling() : nullptr,
           valuing.reads_candidates() && (predicts || rolls), roller.trail()});
      spent.policy += expansion.evaluations;
      valued = halving    ? halving->value(expansion)
               : predicts ? valuing.predict(response, set.tokens, expansion)
                          : valuing.value(response, set.tokens, expansion);
      if (halving) given_up = halving->given_up();
    }

    // The tilted distribution, and the choice from it.
    const StepLaw law =
        tilt(without(set, given_up), of_left(valued.values, given_up), alpha, share);
    const std::size_t chosen = draw ? draw->choose(valued.values)
                                    : choose(law.probabilities, options_.choose, uniform(key));
    const Token token =
        chosen < set.tokens.size() ? set.tokens[chosen] : draw_tail_token(proposed, set, key);

    // Commit: the chosen branch becomes the trunk, the others are dropped.
    const Winner winner = winner_of(expansion, valued.rewards, chosen, token, options_.commit);
    const std::vector<double> reference =
        &other != &roller ? follow(other, winner.tokens, ratios) : std::vector<double>();
    std::optional<double> block_logprob;
    if (blocks) {
      block_logprob = proposed[static_cast<std::size_t>(token)] +
                      (expansion.blocks.empty() ? 0 : expansion.blocks[chosen].logprob);
    }
    const double choice_cost =
        draw ? draw->kl(valued.values) : step_kl(set, law, chosen, options_.choose, blocks);
    const double step_cost = choice_cost + committed_kl(winner, expansion.rollouts, block_logprob,
                                                        reference, options_.greedy_rollouts);
    kl += step_cost;
    if (budget) budget->spend(step_cost);
    commit_to(roller, expansion, chosen, winner);
    if (expansion.rollouts.empty()) {
      advance(ahead, token);
    } else {
      ahead = ahead_of(expansion, chosen, winner.tokens.size() - winner.block);
    }

    Step step{{}, chosen, token, "", static_cast<Token>(argmax(proposed))};
    show(step, model, set, expansion, proposed, valued.values, law);
    step.effective = valued.effective;
    step.rolled_out = !predicting && rolling;
    for (std::size_t i = 0; i < given_up.size(); ++i) step.candidates[i].given_up = given_up[i];
    if (draw) show_spared(step, model, *draw);
    if (budget) step.alpha = law.alpha;
    response.add(std::move(step));
    for (std::size_t i = 1; i < winner.tokens.size(); ++i) {
      response.add({{}, 0, winner.tokens[i], "", winner.tokens[i]});
    }
  }
  return response.finish(roller, kl, kl_kind(by_reference));
}

Workload TokenValueDecoder::workload(std::size_t max_tokens) const {
  return {max_tokens, options_.top_k * expander_->width(),
          std::min(expander_->depth(), std::max<std::size_t>(max_tokens, 1))};
}

}  // namespace tq
