// A policy at a state: the tokens so far on one branch of a session, and the distribution of the
// next. Evaluation is lazy: a token appended last is evaluated only if somebody asks what follows.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "transferq/engine/session.hpp"
#include "transferq/policy/policy.hpp"

namespace tq {

class Stream {
 public:
  // Nothing is evaluated yet; the prompt is, with the first state().
  Stream(const Policy& policy, Session& session, std::vector<Token> prompt);

  // Logits and hidden state after all tokens (hidden is empty where the model has none).
  const Output& state();
  // The branch that holds all tokens, all of them evaluated.
  const Branch& branch();
  // Appends a token, to be evaluated when it is needed.
  void append(Token token);
  // Commits a branch that was forked from branch(), grown by `token` and evaluated elsewhere:
  // its memory is kept, and nothing is evaluated again.
  void adopt(Branch branch, Output output);

  const Policy& policy() const { return *policy_; }
  Session& session() const { return *session_; }
  const std::vector<Token>& prompt() const { return prompt_; }
  // Tokens evaluated by this object: those of the prompt, and those behind it.
  std::uint64_t prompt_evaluations() const { return prompt_evaluations_; }
  std::uint64_t evaluations() const { return evaluations_; }

 private:
  void evaluate();

  const Policy* policy_;
  Session* session_;
  std::vector<Token> prompt_;
  std::vector<Token> pending_;
  Branch branch_;
  Output output_;
  std::uint64_t prompt_evaluations_ = 0;
  std::uint64_t evaluations_ = 0;
};

}  // namespace tq
