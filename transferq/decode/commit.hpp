// What a step adds to the response, and what that costs in KL beyond the choice of the candidate:
// the candidate, the rest of it where it is a block, and the first tokens of its roll-out. Of
// several roll-outs it is the one of the highest reward.
//
// KL to the reference of committed tokens t (nats). Let W be all that was rolled out. Under a
// choice of the candidate by the proposal and of one of its N roll-outs at random, candidate and
// roll-out are draws of proposal and roller; the decoder's choice, seen with W, is away from that
// by the KL of the candidate's law and at most log N, and no law that looks at less is further away
// (data processing). So each step adds to the candidate's KL
//   log N + sum_t log pi_roll(t) - log pi_ref(t),
// a bound in the mean where the roller is the reference, since the sum is then 0; elsewhere one
// draw's estimate. A greedy roll-out follows from its candidate: it adds -sum_t log pi_ref(t).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "transferq/decode/decoder.hpp"
#include "transferq/rollout/rollout.hpp"

namespace tq {

struct Winner {
  std::vector<Token> tokens;    // all of the step's, the candidate first
  std::size_t block = 1;        // how many of them are the candidate
  std::size_t rollout = 0;      // whose first tokens the others are, in Expansion::rollouts
  std::size_t of_rollouts = 0;  // how many the candidate had
  bool cut = false;             // whether confidence ended it before it was as long as it may be
};

// How much of its roll-out a step keeps.
struct Commit {
  std::size_t tokens = 1;  // with the candidate
  // The roll-out's tokens up to the first of a smaller probability, where these are known; 0: all.
  // For greedy roll-outs alone: a draw that is thrown away and drawn again would change the law.
  double confidence = 0;
};

// The candidate, and what is kept of its roll-out, no more than that has. Pure. An empty expansion
// has none.
Winner winner_of(const Expansion& expansion, std::span<const double> rewards, std::size_t chosen,
                 Token candidate, const Commit& commit);

// Commits the winner to the stream that rolled out: its evaluated branch becomes the trunk, and
// only tokens that memory did not keep, or whose output is not known, are evaluated again, when
// they are needed.
void commit_to(Stream& roller, Expansion& expansion, std::size_t chosen, const Winner& winner);

// The KL above, of all that the choice of the candidate did not count. `reference` has one
// log-probability for each token of the winner; it is empty where the reference itself rolled out.
// Of a block that another policy drew it is the block's own log-ratio to the reference;
// `block_logprob` is then its log-probability under that policy. Pure.
double committed_kl(const Winner& winner, std::span<const Rollout> rollouts,
                    std::optional<double> block_logprob, std::span<const double> reference,
                    bool greedy);

// Appends tokens to a stream that did not roll out. Where `read`, returns the log-probability of
// each, which evaluates nothing more.
std::vector<double> follow(Stream& stream, std::span<const Token> tokens, bool read);

}  // namespace tq
