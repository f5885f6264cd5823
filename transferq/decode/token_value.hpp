// Decoding by the value of candidate tokens: Algorithm 1 of Transfer Q*, and every method that is
// the same loop with another proposal, roll-out or choice:
//   tq    roll-outs by the baseline, proposal baseline or reference
//   cd    roll-outs and proposal by the reference (Mudgal et al., Controlled Decoding, ICML 2024)
//   args  no roll-out: the reward of the prefix itself (Khanov et al., ARGS, ICLR 2024)
// The valuation says what roll-outs are worth: direct, indirect or soft transfer.
#pragma once

#include <memory>

#include "transferq/decode/choice.hpp"
#include "transferq/decode/decoder.hpp"
#include "transferq/decode/plain.hpp"
#include "transferq/rollout/rollout.hpp"
#include "transferq/value/direct.hpp"

namespace tq {

struct TokenValueOptions {
  double alpha = 1.0;      // decoding temperature on values; beta for soft transfer
  std::size_t top_k = 10;  // candidates a step
  Proposal proposal = Proposal::baseline;
  Proposal rollouts = Proposal::baseline;  // whose roll-outs the expander grows
  Choose choose = Choose::sample;
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
  TokenValueOptions options_;
  std::unique_ptr<Expander> expander_;
  std::unique_ptr<Valuation> valuation_;
};

}  // namespace tq
