// What a step chooses from, and how it chooses: the part of a step before and after the values.
//
// Tokens: the likeliest of the proposal, behind a gate. Under a KL budget all other tokens are one
// candidate more (decode/tail.hpp).
// Blocks: K blocks y_1 ... y_K of B tokens drawn from the proposal (Mudgal et al., Controlled
// Decoding from Language Models, ICML 2024, section 3.2, "blockwise best-of-K"). Being draws, they
// weigh the same, and the choice is importance sampling, normalised over them:
//   P(y_i) = exp(Q(y_i) / alpha) / sum_j exp(Q(y_j) / alpha),
// whose law tends to pi_prop(y) exp(Q(y) / alpha) / Z as K grows. Greedy takes the best of them,
// Mudgal et al.'s own rule. A block is given here by its first token; the rest is drawn where it is
// evaluated (rollout/blocks.hpp).
//
// Pure functions.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "transferq/core/random.hpp"
#include "transferq/core/token.hpp"
#include "transferq/decode/choice.hpp"

namespace tq {

struct ProposingOptions {
  std::size_t top_k = 10;
  std::size_t block = 1;  // tokens of a candidate
  double min_p = 0;       // the gate; 0: none
  bool whole = false;     // all other tokens are a candidate, too (not with blocks)
};

// What may be chosen, with log-probabilities. `logprobs` and `reference` have one entry more than
// `tokens` where there is a tail.
struct Candidates {
  std::vector<Token> tokens;
  std::vector<double> logprobs;   // what is tilted: of the proposal, or equal for all blocks
  std::vector<double> reference;  // what the KL is summed against
  bool tail() const { return logprobs.size() > tokens.size(); }
};

// `proposed` and `reference` are log-probabilities over the vocabulary.
Candidates propose(const ProposingOptions& options, std::span<const double> proposed,
                   std::span<const double> reference, const RandomKey& key);

// The law of a step, over the entries of `logprobs`.
struct StepLaw {
  std::vector<double> probabilities;
  double alpha;
};

// The candidates re-weighted by their values (empty: there are none, and the proposal stays as it
// is), at an alpha, or at one whose KL to the reference is at most `nats`.
StepLaw tilt(const Candidates& candidates, std::vector<double> values, double alpha,
             std::optional<double> nats);

// KL to the reference of a step that chooses like this. Of the best of K draws it is the bound
// log K - (K - 1) / K; of a draw among them, KL(P || uniform), a bound in the mean: seen together
// with all K blocks and a uniform choice, which is the proposal, no law that looks at less is
// further away (data processing).
double step_kl(const Candidates& candidates, const StepLaw& law, std::size_t chosen, Choose how,
               bool blocks);

}  // namespace tq
