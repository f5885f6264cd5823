// CARDS, cascade reward sampling: the response grows by segments, and each is tried until it is
// good enough. A segment is drawn from the proposal token by token and ends where the policy is
// unsure how to go on: where the entropy of the next token is `entropy` or more. It is accepted
// with probability
//   min(1, exp((r(x, y) - tau(t)) / beta)),   y the response up to its end, of t tokens,
//   tau(t) = min(r*, r_0 + (r* - r_0) t / T),  r_0 = (1 - start) r(x, "") + start r*,
// r* the target reward, T the longest response. After `tries` rejections the best one is taken.
//
// With an infinite entropy and start = 1 it is rejection sampling of whole responses: where no
// reward exceeds r* and the tries suffice, its law is rho_prop(y) exp(r(x, y) / beta) over its sum.
// beta to 0 accepts what reaches the threshold; infinite beta or one try is the proposal itself.
//
// Source: Li et al., "Cascade Reward Sampling for Efficient Decoding-Time Alignment", COLM 2025,
// arXiv 2406.16306, Algorithm 1, and the authors' code for r_0 (their alpha is `start`). The same:
// segments by entropy, the acceptance, the rising threshold, the best one when tries run out (20
// there). What differs: tokens are drawn from the whole distribution at temperature 1, not from the
// top 40 at temperature beta; segments have no least and no greatest length (there 4 and 64
// tokens); the last try may be accepted like any other.
//
// KL to the proposal is estimated, segment by segment, by log a + (1 + 1/2 + ... + 1/(n - 1)), a
// the probability with which the segment was accepted, n its try: its mean is the KL of the
// segment's law where tries do not run out, for E[1 + ... + 1/(n - 1)] = -log P(accept). A segment
// taken when they did counts with the bound of a choice among them (selection_bound in
// drawing.hpp).
#pragma once

#include "transferq/decode/decoder.hpp"
#include "transferq/decode/plain.hpp"

namespace tq {

struct CardsOptions {
  double target = 0;       // r*
  double start = 0.5;      // how far the threshold is on its way to r* at first, 0 to 1
  double beta = 1.0;       // temperature of the acceptance
  double entropy = 3.0;    // nats; infinity: segments are whole responses
  std::size_t tries = 20;  // of a segment
  Proposal proposal = Proposal::baseline;
};

class CardsDecoder final : public Decoder {
 public:
  explicit CardsDecoder(CardsOptions options) : options_(options) {}
  Decoded decode(const DecodeTask& task, Evaluations& spent) const override;
  // The segment that is tried, and the best one tried before.
  Workload workload(std::size_t max_tokens) const override { return {max_tokens, 2, max_tokens}; }
  Roles roles() const override { return roles_of(options_.proposal); }
  bool needs_reward() const override { return true; }

 private:
  CardsOptions options_;
};

// log min(1, exp((reward - threshold) / beta)); 0 for an infinite beta.
double log_acceptance(double reward, double threshold, double beta);

// tau(t) above, with r(x, "") = `empty`.
double threshold_at(const CardsOptions& options, double empty, std::size_t tokens,
                    std::size_t max_tokens);

}  // namespace tq
