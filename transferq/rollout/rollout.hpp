// Roll-outs: continuations of the candidate tokens of a state, from which their values are
// estimated. An Expander grows them on branches of the baseline's session and hands the candidates'
// own branches back, so that committing the chosen one costs nothing.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "transferq/core/random.hpp"
#include "transferq/engine/session.hpp"

namespace tq {

struct ExpandRequest {
  const Branch& trunk;                // the state s, evaluated
  std::span<const Token> candidates;  // tokens z
  std::size_t room = 0;               // tokens the response may still have, the candidate included
  bool hidden = false;                // whether to return the state after each roll-out
  RandomKey key;                      // seed, prompt and step
  std::stop_token stop;
  std::size_t keep = 0;   // tokens of a roll-out that may be committed with its candidate
  bool logprobs = false;  // whether to return log-probabilities of what is drawn
};

struct Rollout {
  std::size_t candidate = 0;
  std::vector<Token> tokens;  // behind the candidate, with the token that ended the response
  double weight = 1;          // its share in the candidate's value
  std::vector<float> hidden;  // after the last token that is text; empty if not asked for or if
                              // the candidate itself ends the response
  std::vector<double> logprobs = {};  // of `tokens` that may be committed; empty if not asked for
};

// The rest of a candidate that is a block: what was drawn behind its first token.
struct Block {
  std::vector<Token> tokens;  // with the token that ended the response
  double logprob = 0;         // of these under the policy that drew them; 0 if not asked for
  bool ended = false;
};

// A roll-out's branch, with no more than the tokens that may be committed, and its output there.
struct Kept {
  Branch branch;
  Output output;
};

struct Expansion {
  // One a candidate: the trunk grown by it, and its output there. A candidate that ends the
  // response, was never evaluated, or had to make room for others, has neither. Of a block, all
  // that was evaluated: the last token may not be.
  std::vector<Branch> branches;
  std::vector<Output> outputs;
  std::vector<Rollout> rollouts;  // those of a candidate together, candidates in order
  std::vector<Block> blocks;      // one a candidate, where candidates are blocks; else empty
  std::vector<Kept> kept;         // one a roll-out where some may be committed, else empty; without
                                  // a branch where memory did not allow it
  std::uint64_t evaluations = 0;
};

class Expander {
 public:
  virtual ~Expander() = default;
  virtual Expansion expand(const ExpandRequest& request) const = 0;
  // Branches that grow at once for each candidate, and how far: what the memory must hold.
  virtual std::size_t width() const = 0;
  virtual std::size_t depth() const = 0;
};

// Throws Error (interrupted) when a stop was requested.
void check_stop(const std::stop_token& stop);

}  // namespace tq
