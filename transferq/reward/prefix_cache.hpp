// Evaluates many token sequences that share prefixes, with each other and with those of the call
// before: what several have in common, and what is held from before, is evaluated once. (Of a
// sequence that is the beginning of another the last token is evaluated for both; a likelihood
// evaluates the token before once more where it goes on from a call before.)
// Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "transferq/engine/session.hpp"

namespace tq {

// What is read of each sequence.
enum class Reading {
  last,        // the hidden state after its last token, [hidden size]
  states,      // the hidden states after its tokens from `from` on, [tokens x hidden size]
  likelihood,  // ln P(its tokens from `from` on | all before each), [1]
  next,        // ln P(token | sequence) of each of `watch`, [watch]
};

struct PrefixCacheOptions {
  Reading reading = Reading::last;
  std::size_t from = 0;          // for states and likelihood
  std::vector<Token> watch;      // for next
  bool keep_only_trunk = false;  // for a session that others need, too: hold little between calls
};

class PrefixCache {
 public:
  // `held`: a branch of the session with tokens that sequences may begin with. It counts as if it
  // were evaluated here but for its first `shared` tokens.
  explicit PrefixCache(Session& session, PrefixCacheOptions options = {}, Branch held = {},
                       std::size_t shared = 0);

  // What was asked for of each sequence (none of them empty), in order. Works in waves when the
  // session's branches or cells do not hold all at once. Throws Error (capacity) when one sequence
  // alone does not fit.
  std::vector<std::vector<double>> read(const std::vector<std::vector<Token>>& sequences);

  std::uint64_t evaluations() const { return evaluations_; }
  // Tokens that are held of what the sequences of the last call shared; before the first call, of
  // what was held from the start.
  std::size_t held() const { return trunk_.tokens.size(); }

 private:
  struct Held {
    Branch branch;
    std::vector<Token> tokens;
    std::vector<double> end;  // last, next: what was read after the last token; may be empty
    std::vector<double>
        trace;  // states, likelihood: what was read of each token from trace_from_ on
    std::vector<double> logits = {};  // likelihood: after the last token, where several go on
  };
  struct Growth;  // a sequence on its way from what is held of it to all of it
  struct Root;
  struct Sprout;
  using Range = std::span<const std::vector<Token>>;

  Growth grow(Held& parent, std::vector<Token> tokens, std::size_t kept, bool take_over) const;
  void take(Growth& growth, const Output& output) const;
  std::vector<double> result(const Held& held) const;
  std::size_t wave_size(Range sequences, std::size_t shared) const;
  void hold_trunk(Range sequences);
  void cut_trunk(std::span<const Token> prefix);
  void extend_trunk(std::span<const Token> prefix, std::size_t kept);
  std::vector<Root> roots(Range sequences);
  std::vector<Sprout> sprouts(Range sequences, const std::vector<Root>& roots) const;
  Want want_of_stem() const;
  void evaluate(std::span<Growth* const> growths);
  std::vector<std::vector<double>> wave(Range sequences);
  std::vector<std::vector<double>> read_different(Range sequences);
  std::vector<Output> forward(std::span<const Feed> feeds);

  Session* session_;
  PrefixCacheOptions options_;
  Want want_;               // of a sequence's feed
  std::size_t stride_ = 0;  // numbers a token of a trace; 0 for last and next
  std::size_t trace_from_;  // the first token that has some
  Held trunk_;              // what all sequences of the last call shared
  std::vector<Held> held_;  // the sequences of the last wave
  std::uint64_t evaluations_ = 0;
};

}  // namespace tq
