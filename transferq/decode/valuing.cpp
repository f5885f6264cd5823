#include "transferq/decode/valuing.hpp"

#include "transferq/engine/model.hpp"

namespace tq {
namespace {

std::vector<Draft> drafts_of(const Response& response, std::span<const Token> candidates,
                             const Expansion& expansion) {
  std::vector<Draft> drafts;
  for (const Rollout& rollout : expansion.rollouts) {
    std::vector<Token> more{candidates[rollout.candidate]};
    if (!expansion.blocks.empty()) {
      const std::vector<Token>& block = expansion.blocks[rollout.candidate].tokens;
      more.insert(more.end(), block.begin(), block.end());
    }
    more.insert(more.end(), rollout.tokens.begin(), rollout.tokens.end());
    drafts.push_back(response.draft(more));
  }
  return drafts;
}

}  // namespace

Valuing::Valuing(const Valuation& valuation, Stream& roller, const DecodeTask& task,
                 Learned learned)
    : valuation_(valuation),
      roller_(roller),
      target_(*task.scorer),
      baseline_(valuation.reads_baseline_reward() ? task.baseline_scorer : nullptr),
      learned_(std::move(learned)),
      reads_states_(target_.reads(roller) || (baseline_ != nullptr && baseline_->reads(roller))) {
  if (reads_states_) roller.keep_trail();
}

StepValues Valuing::value(const Response& response, std::span<const Token> candidates,
                          const Expansion& expansion) const {
  std::vector<Draft> drafts = drafts_of(response, candidates, expansion);
  StepValues out;
  out.rewards = score(target_, drafts, expansion);
  std::vector<double> baseline_rewards;
  if (baseline_ != nullptr) baseline_rewards = score(*baseline_, drafts, expansion);
  Valued valued =
      valuation_.value({expansion.rollouts, out.rewards, baseline_rewards, candidates.size()});
  out.values = std::move(valued.values);
  out.effective = valued.effective;
  return out;
}

StepValues Valuing::predict(const Response& response, std::span<const Token> candidates,
                            const Expansion& expansion) const {
  const Model& model = roller_.policy().model();
  StepValues out;
  std::vector<Token> ends;      // the candidates that end the response
  std::vector<std::size_t> at;  // and their places
  Expansion ended;
  for (const Rollout& rollout : expansion.rollouts) {
    const std::size_t c = rollout.candidate;
    if (model.is_end(candidates[c])) {
      ended.rollouts.push_back(rollout);
      ended.rollouts.back().candidate = ends.size();
      ends.push_back(candidates[c]);
      at.push_back(c);
    }
    const bool goes_on = !rollout.trail.empty();
    out.values.push_back(!goes_on        ? 0
                         : learned_.beta ? learned_.head->soft(rollout.trail.last(), *learned_.beta)
                                         : learned_.head->mean(rollout.trail.last()));
  }
  if (ends.empty()) return out;
  const StepValues known = value(response, ends, ended);
  for (std::size_t i = 0; i < at.size(); ++i) out.values[at[i]] = known.values[i];
  return out;
}

std::vector<double> Valuing::score(Scorer& scorer, std::vector<Draft>& drafts,
                                   const Expansion& expansion) const {
  const bool reads = scorer.reads(roller_);
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    // A candidate that ends the response leaves the text, and so its states, as they are.
    const Trail& rolled = expansion.rollouts[i].trail;
    drafts[i].trail = !reads ? Trail() : rolled.empty() ? roller_.trail() : rolled;
  }
  return scorer.score(drafts);
}

}  // namespace tq
