// Responses drawn from one policy side by side: what the decoders that work on responses, segments
// or chunks have in common (best_of, soft_best_of, speculative_rejection, chunk_beam, cards).
//
// Guarantees: a draw is keyed by its position and its response's own numbers alone, so a response
// is the same whatever grows beside it, and in one go as in many. The last token of a response is
// evaluated only once something is asked of it. What does not fit the session side by side takes
// turns; branches then make room, and what they held is evaluated again (and counted again) where
// it grows on. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "transferq/decode/response.hpp"

namespace tq {

struct Drawn {
  std::uint32_t index = 0;       // RandomKey::candidate of its draws
  std::uint32_t attempt = 0;     // RandomKey::sample of its draws
  std::vector<Token> tokens;     // behind the stream's, with the token that ended the response
  bool done = false;             // ended, or as long as it may be
  double logprob = 0;            // of `tokens` under the policy, where that is not the reference
  Trail trail;                   // up to the last token that is text, where the scorer reads it
  std::optional<double> reward;  // of the text so far, once it was scored
  Branch branch;                 // holds the first `fed` tokens; none before it grows or when done
  std::size_t fed = 0;
  Output output;  // after those
};

class Drawing {
 public:
  // Draws behind the stream (not evaluated before the first object on it), which holds the first
  // `before` tokens of the response. The task has a scorer. Both outlive the object.
  Drawing(const DecodeTask& task, Stream& stream, std::size_t before = 0);

  // Empty responses, numbered from 0; not on branches yet.
  std::vector<Drawn> start(std::size_t count);
  // A copy that goes on by itself, on draws of its own number.
  Drawn successor(const Drawn& parent, std::size_t index) const;

  // Draws tokens until each response has `length` of them or is done.
  void grow(std::span<Drawn> drawn, std::size_t length);
  // Evaluates the last token of responses that are not done and still on their branches, so that
  // `output` tells what follows, or as many of them as fit.
  void settle(std::span<Drawn> drawn);
  // Whether a further response fits beside what the session holds, however long it gets.
  bool fits_another() const;
  // Scores those whose reward is not known, in one call. `response` is what the stream holds.
  void score(const Response& response, std::span<Drawn> drawn);

  // log rho(tokens) - log rho_ref(tokens) behind what both streams hold; 0 where the policy is the
  // reference. Commits the tokens to the reference's stream.
  double log_ratio(const Drawn& drawn);
  // A response as the answer to the prompt, where `before` is 0. `kl` is to the policy that drew
  // it; where that is not the reference, the log-ratio is added, which makes it an estimate.
  Decoded answer(const Drawn& drawn, double kl, KlKind kind);

  std::uint64_t evaluations() const { return evaluations_; }

 private:
  void open(Drawn& d);
  void add_token(Drawn& d);
  bool fits(std::span<Drawn* const> growing, std::size_t length) const;
  void advance(std::span<Drawn* const> growing, std::size_t length);
  void catch_up(std::span<Drawn* const> drawn);
  void feed(std::span<Drawn* const> fed);

  const DecodeTask& task_;
  Stream& stream_;
  std::size_t before_;
  bool hidden_;    // whether the scorer reads the stream's states
  bool logprobs_;  // whether the responses' log-probabilities are needed
  std::uint64_t evaluations_ = 0;
};

// The one of the highest reward, the first of equals. All are scored, and there is one at least.
const Drawn& best_of(std::span<const Drawn> drawn);

// log N - (N - 1) / N: no rule that picks one of N draws has a law of higher KL to the policy that
// drew them. (For a set S of mass s, P(pick in S) <= P(a draw in S) = 1 - (1 - s)^N, with equality
// for best-of-N, the highest rewards and no ties: so its density is the most unequal of all, and KL
// grows with inequality. For best-of-N: Stiennon et al., "Learning to summarize from human
// feedback", 2020; Beirami et al., "Theoretical guarantees on the best-of-n alignment policy",
// 2024.)
double selection_bound(std::size_t samples);

}  // namespace tq
