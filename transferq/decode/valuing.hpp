// The values of a step's candidates: the texts of their roll-outs are scored by the reward, and by
// the baseline's own where the valuation reads it, all in one call each; the valuation makes values
// of the scores. Hidden states that the roll-outs brought go to each scorer that reads them, so it
// evaluates nothing. Not thread-safe; lives as long as the decoding of one prompt.
//
// Or a learned value says what the candidates are worth, from the states behind them; of one that
// ends the response the reward itself is known.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "transferq/decode/decoder.hpp"
#include "transferq/decode/response.hpp"
#include "transferq/rollout/rollout.hpp"
#include "transferq/value/learned.hpp"
#include "transferq/value/valuation.hpp"

namespace tq {

// A learned value, and how it is read.
struct Learned {
  std::shared_ptr<const LearnedValue> head;   // null: there is none
  std::optional<double> beta = std::nullopt;  // the soft value at this beta; else the mean
};

// All empty where nothing was valued.
struct StepValues {
  std::vector<double> rewards;  // one a roll-out, by the target reward; empty where none were
                                // rolled out because their value was learned
  std::vector<double> values;   // one a candidate
  std::optional<EffectiveSamples> effective = std::nullopt;
};

class Valuing {
 public:
  // `roller` is the stream whose session the roll-outs grow in; it was not evaluated yet.
  Valuing(const Valuation& valuation, Stream& roller, const DecodeTask& task, Learned learned = {});
  // Whether a scorer reads the roller's hidden states, so that roll-outs should bring them.
  bool reads_states() const { return reads_states_; }
  // Whether the learned value reads those of the candidates.
  bool reads_candidates() const { return learned_.head != nullptr; }
  // `candidates` are their first tokens.
  StepValues value(const Response& response, std::span<const Token> candidates,
                   const Expansion& expansion) const;
  // The same without roll-outs, by the learned value: `expansion` has one roll-out a candidate, of
  // no token.
  StepValues predict(const Response& response, std::span<const Token> candidates,
                     const Expansion& expansion) const;

 private:
  std::vector<double> score(Scorer& scorer, std::vector<Draft>& drafts,
                            const Expansion& expansion) const;

  const Valuation& valuation_;
  Stream& roller_;
  Scorer& target_;
  Scorer* baseline_;  // null: the valuation does not read it, or it is 0 for every response
  Learned learned_;
  bool reads_states_;
};

}  // namespace tq
