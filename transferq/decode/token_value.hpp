// Decoding by the value of candidate tokens: Algorithm 1 of Transfer Q*, and every method that is
// the same loop with another proposal, roll-out or choice:
//   tq    roll-outs by the baseline, proposal baseline or reference
//   cd    roll-outs and proposal by the reference (Mudgal et al., Controlled Decoding, ICML 2024)
//   args  no roll-out: the reward of the prefix itself (Khanov et al., ARGS, ICLR 2024)
// The valuation says what roll-outs are worth: direct, indirect or soft transfer.
// Candidates may be blocks (proposing.hpp), a step may commit more than its candidate (commit.hpp),
// and a KL budget may choose alpha (kl_budget.hpp). With blocks and commits of one token and no
// budget, KL to the reference is summed exactly over each step's candidates, but for draws that
// leave some without a value (gumbel.hpp).
#pragma once

#include <algorithm>
#include <memory>
#include <optional>

#include "transferq/decode/choice.hpp"
#include "transferq/decode/commit.hpp"
#include "transferq/decode/decoder.hpp"
#include "transferq/decode/gate.hpp"
#include "transferq/decode/plain.hpp"
#include "transferq/decode/positions.hpp"
#include "transferq/decode/valuing.hpp"
#include "transferq/rollout/rollout.hpp"
#include "transferq/value/direct.hpp"

namespace tq {

struct TokenValueOptions {
  double alpha = 1.0;      // decoding temperature on values; beta for soft transfer
  std::size_t top_k = 10;  // candidates a step
  Proposal proposal = Proposal::baseline;
  Proposal rollouts = Proposal::baseline;  // whose roll-outs the expander grows
  Choose choose = Choose::sample;
  Commit commit = {};     // tokens of a step: the candidate, then its roll-out's
  std::size_t block = 1;  // tokens of a candidate; the expander grows blocks of as many
  double min_p = 0;       // the gate before candidates are valued; 0: none
  Range range = {};       // of the reward: spares what can't win (gate.hpp, gumbel.hpp)
  std::optional<double> kl_budget =
      std::nullopt;              // nats a response, in the place of alpha; needs Choose::sample
  bool greedy_rollouts = false;  // whether the expander's roll-outs follow from their candidates
  std::size_t halvings = 0;      // times that half of the candidates are given up (halving.hpp)
  double halving_errors = 0;     // Z of their confidence bounds; 0: all of the half
  Positions positions = {};      // of the steps that roll out
  Elsewhere elsewhere = Elsewhere::text;  // what other steps do
  double text_weight = 1;                 // of values of the text so far in these (ARGS's w)
  Learned learned = {};                   // a value that is read from states (value/learned.hpp)
  std::size_t screen = 0;  // the candidates that it lets roll out; 0: none, it values them itself
};

class TokenValueDecoder final : public Decoder {
 public:
  TokenValueDecoder(TokenValueOptions options, std::unique_ptr<Expander> expander,
                    std::unique_ptr<Valuation> valuation = std::make_unique<Direct>())
      : options_(options), expander_(std::move(expander)), valuation_(std::move(valuation)) {}
  Decoded decode(const DecodeTask& task, Evaluations& spent) const override;
  Workload workload(std::size_t max_tokens) const override;
  Roles roles() const override {
    const bool proposes = options_.proposal == Proposal::baseline;
    return {options_.rollouts, proposes || options_.rollouts == Proposal::baseline, false,
            valuation_->reads_baseline_reward()};
  }
  bool needs_reward() const override { return true; }

 private:
  // The most that a step makes: its candidate and what is committed of the roll-out, if it is as
  // long.
  std::size_t step_tokens() const {
    return std::min(options_.block + options_.commit.tokens - 1, expander_->depth());
  }
  // The gate before candidates are valued: the user's, or that of bounds where it leaves the choice
  // what it is.
  double gate() const {
    const bool exact = options_.choose == Choose::greedy && options_.block == 1 &&
                       options_.commit.tokens == 1 && options_.halvings == 0 &&
                       options_.learned.head == nullptr && !options_.kl_budget;
    return exact ? std::max(options_.min_p,
                            gate_of_bounds(options_.range.low, options_.range.high,
                                           options_.alpha / std::max(1.0, options_.text_weight)))
                 : options_.min_p;
  }
  KlKind kl_kind(bool rolled_by_reference) const;

  TokenValueOptions options_;
  std::unique_ptr<Expander> expander_;
  std::unique_ptr<Valuation> valuation_;
};

}  // namespace tq
