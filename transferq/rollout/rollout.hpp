// Roll-outs: continuations of the candidate tokens of a state, from which their values are
// estimated. An Expander grows them on branches of the baseline's session and hands the candidates'
// own branches back, so that committing the chosen one costs nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "transferq/core/random.hpp"
#include "transferq/engine/session.hpp"
#include "transferq/engine/trail.hpp"

namespace tq {

struct Rollout {
  std::size_t candidate = 0;
  std::vector<Token> tokens;  // behind the candidate, with the token that ended the response
  double weight = 1;          // its share in the candidate's value
  // ExpandRequest::trail grown by candidate and tokens, up to the last one that is text; empty if
  // not asked for or if the candidate itself ends the response.
  Trail trail = {};
  // Of `tokens` that may be committed, or of all that may be ahead; empty if not asked for.
  std::vector<double> logprobs = {};
};

// Which candidates' roll-outs go on, asked on the way. Where memory does not let all roll-outs grow
// side by side, nobody is asked, and all go on.
struct Culling {
  std::vector<std::size_t> at;  // when to ask: tokens that are rolled out, rising
  // Gets all roll-outs as they stand, and of each candidate whether one of its own is to go on.
  // Returns of each candidate whether it does.
  std::function<std::vector<bool>(std::span<const Rollout>, const std::vector<bool>& open)>
      survivors;
};

// What is known of how the text goes on behind the trunk: what is left of the greedy roll-out whose
// candidate was committed. It is the roll-out of the candidate that is its own first token, but for
// its end.
struct Ahead {
  std::vector<Token> tokens;           // behind the trunk
  Branch branch;                       // the trunk and the first `evaluated` of them
  std::size_t evaluated = 0;           // at least one
  std::shared_ptr<const Output> last;  // after these
  Trail trail;                         // up to the last of these that is text, if asked for
  std::vector<double> logprobs;        // of all of them; empty if not asked for
};

struct ExpandRequest {
  const Branch& trunk;                // the state s, evaluated
  std::span<const Token> candidates;  // tokens z
  std::size_t room = 0;               // tokens the response may still have, the candidate included
  bool hidden = false;                // whether to return the roll-outs' trails
  RandomKey key;                      // seed, prompt and step
  std::stop_token stop;
  std::size_t keep = 0;   // tokens of a roll-out that may be committed with its candidate
  bool logprobs = false;  // whether to return log-probabilities of what is drawn
  // Of a caller that gives Expansion::kept back as Ahead when it has committed: what is known, none
  // at first. It is used up. Null: nobody looks ahead.
  std::optional<Ahead>* ahead = nullptr;
  const Culling* culling = nullptr;  // null: all roll-outs go on
  // Whether the state after each candidate is wanted: of roll-outs of no token, and by who culls.
  bool candidate_states = false;
  Trail trail = {};  // of the trunk, which those of roll-outs go on
};

// The rest of a candidate that is a block: what was drawn behind its first token.
struct Block {
  std::vector<Token> tokens;  // with the token that ended the response
  double logprob = 0;         // of these under the policy that drew them; 0 if not asked for
  bool ended = false;
};

// A roll-out's branch as it was left: with no more than the tokens that may be committed, or with
// all, if they are wanted ahead.
struct Kept {
  Branch branch;  // trunk, candidate, and as many of the roll-out's tokens:
  std::size_t evaluated = 0;
  Output output;                       // after those of them that may be committed; without logits
                                       // where nobody asked for them in time
  std::shared_ptr<const Output> last;  // after all of them, if they are wanted ahead
};

struct Expansion {
  // One a candidate: the trunk grown by it, and its output there. A candidate that ends the
  // response, was never evaluated, or had to make room for others, has neither. Of a block, all
  // that was evaluated: the last token may not be.
  std::vector<Branch> branches;
  std::vector<Output> outputs;
  std::vector<Trail> trails;      // of each candidate, where roll-outs have one
  std::vector<Rollout> rollouts;  // those of a candidate together, candidates in order
  std::vector<Block> blocks;      // one a candidate, where candidates are blocks; else empty
  std::vector<Kept> kept;         // one a roll-out where some may be committed or are wanted ahead,
                                  // else empty; without a branch where memory did not allow it
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
