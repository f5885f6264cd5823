#include "transferq/decode/official.hpp"

#include <algorithm>
#include <cmath>

#include "transferq/core/error.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/core/text.hpp"
#include "transferq/decode/choice.hpp"
#include "transferq/decode/official_score.hpp"
#include "transferq/engine/model.hpp"
#include "transferq/rollout/ahead.hpp"

namespace tq {
namespace {

// Prompt, response and roll-out as one text, special tokens written out, without padding. Where
// that text has the very tokens that were decoded, the roll-out's states are the ones wanted.
Draft whole_text(const Model& model, std::vector<Token> tokens, const Rollout& rollout) {
  tokens.insert(tokens.end(), rollout.tokens.begin(), rollout.tokens.end());
  const std::size_t decoded = tokens.size();
  while (tokens.size() > 1 && model.is_end(tokens.back())) tokens.pop_back();
  Draft draft{replace_invalid_utf8(model.text(tokens, true)), {}, {}, true};
  const bool ended = !rollout.tokens.empty() && model.is_end(rollout.tokens.back());
  const bool padding_alone = decoded - tokens.size() == (ended ? 1 : 0);
  if (!rollout.trail.empty() && padding_alone && model.tokenize(draft.text, true) == tokens) {
    draft.trail = rollout.trail;
  }
  return draft;
}

// Trails are for a scorer that reads them alone.
std::vector<double> score(const Stream& stream, Scorer& scorer, const std::vector<Draft>& drafts) {
  if (scorer.reads(stream)) return scorer.score(drafts);
  std::vector<Draft> texts = drafts;
  for (Draft& draft : texts) draft.trail = {};
  return scorer.score(texts);
}

}  // namespace

OfficialDecoder::OfficialDecoder(double alpha, std::size_t top_k, std::size_t horizon,
                                 bool indirect)
    : alpha_(alpha),
      top_k_(top_k),
      indirect_(indirect),
      rollouts_({.horizon = horizon, .samples = 1, .greedy = true, .past_end = true}) {}

Decoded OfficialDecoder::decode(const DecodeTask& task, Evaluations& spent) const {
  Stream& stream = task.baseline;
  const Model& model = stream.policy().model();
  const std::size_t room = rollouts_.depth();  // roll-outs are not cut at max_tokens
  if (indirect_ && task.baseline_scorer == nullptr) {
    throw Error(ErrorKind::usage,
                "indirect transfer by the decoder official needs the baseline's reward; name it "
                "with --baseline-reward");
  }
  const bool hidden =
      task.scorer->reads(stream) || (indirect_ && task.baseline_scorer->reads(stream));
  if (hidden) stream.keep_trail();
  std::vector<Token> sequence = stream.prompt();
  std::optional<Ahead> ahead;  // left of the last winner's roll-out
  Decoded out;
  while (out.tokens.size() < task.max_tokens) {
    check_stop(task.stop);
    const std::vector<double> logits = stream.state().logits;
    const std::vector<std::size_t> best = top_k(logits, top_k_);
    const std::vector<Token> tokens(best.begin(), best.end());
    Expansion expansion =
        rollouts_.expand({stream.branch(), tokens, room, hidden, task.key, task.stop, 0, false,
                          &ahead, nullptr, false, stream.trail()});
    spent.policy += expansion.evaluations;

    std::vector<Draft> drafts;
    for (const Rollout& rollout : expansion.rollouts) {
      std::vector<Token> grown = sequence;
      grown.push_back(tokens[rollout.candidate]);
      drafts.push_back(whole_text(model, std::move(grown), rollout));
    }
    std::vector<double> shown;  // the candidates' logits
    for (const std::size_t z : best) shown.push_back(logits[z]);
    const std::vector<double> rewards = score(stream, *task.scorer, drafts);
    const std::vector<double> scores =
        indirect_ ? official_indirect_scores(shown, rewards,
                                             score(stream, *task.baseline_scorer, drafts), alpha_)
                  : official_scores(shown, rewards, alpha_);
    const std::size_t chosen = argmax(scores);
    const Token token = tokens[chosen];
    out.kl_to_reference -= log_softmax(task.reference.state().logits)[best[chosen]];

    if (expansion.branches[chosen]) {
      stream.adopt(std::move(expansion.branches[chosen]), std::move(expansion.outputs[chosen]),
                   expansion.trails[chosen]);
    } else {
      stream.append(token);
    }
    ahead = ahead_of(expansion, chosen, 0);
    if (&task.reference != &stream) task.reference.append(token);
    sequence.push_back(token);
    out.tokens.push_back(token);

    Step step{{}, chosen, token, model.piece(token, true), tokens.front()};
    const std::vector<double> logprobs = log_softmax(logits);
    const std::vector<double> probabilities = softmax(scores);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      step.candidates.push_back({tokens[i], model.piece(tokens[i], true), logprobs[best[i]],
                                 rewards[i], probabilities[i]});
    }
    if (task.sink) task.sink(step);
  }
  out.text = replace_invalid_utf8(model.text(out.tokens, true));
  const std::vector<Draft> drafts{
      {replace_invalid_utf8(model.text(out.tokens, false)), {}, {}, false}};
  out.reward = task.scorer->score(drafts).front();
  return out;
}

Workload OfficialDecoder::workload(std::size_t max_tokens) const {
  return {max_tokens + rollouts_.depth(), top_k_ * rollouts_.width(), rollouts_.depth()};
}

}  // namespace tq
