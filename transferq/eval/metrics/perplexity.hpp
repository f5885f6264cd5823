// How surprising the reference finds a response.
//
//   perplexity(y | x) = exp(-1/n sum_t ln rho_ref(y_t | x, y_<t)),  t = 1 to n
//
// Source: Jelinek et al., "Perplexity: a measure of the difficulty of speech recognition tasks"
// (1977), here of the response's own tokens given the prompt. 1: the reference was certain of each
// token; the vocabulary's size: it knew no better than chance.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>

#include "transferq/policy/policy.hpp"
#include "transferq/policy/session_pool.hpp"

namespace tq {

// Not thread-safe: each worker has its own. The reference's model is shared; the meter has a
// session of its own, which lives on from prompt to prompt.
class PerplexityMeter {
 public:
  // `options` without cells sizes the session by what is read. Branches are not needed.
  PerplexityMeter(const Policy& reference, SessionOptions options);

  // `response`: the tokens as they were decoded, with the one that ended them if one did. None for
  // an empty response, for one that does not fit the reference's context behind the prompt (it is
  // not cut: that would be another text's perplexity), and where a token has no chance at all (the
  // perplexity is infinite). Throws Error: usage for a token outside the reference's vocabulary;
  // interrupted once `stop` asks for it.
  std::optional<double> of(const Prompt& prompt, std::span<const Token> response,
                           std::stop_token stop = {});

  std::uint64_t evaluations() const { return evaluations_; }  // tokens, those of prompts included

 private:
  Policy reference_;
  SessionPool pool_;
  std::uint64_t evaluations_ = 0;
};

}  // namespace tq
