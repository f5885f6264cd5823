// A policy at a state: the tokens so far on one branch of a session, and the distribution of the
// next. Evaluation is lazy: a token appended last is evaluated only if somebody asks what follows.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "transferq/engine/session.hpp"
#include "transferq/engine/trail.hpp"
#include "transferq/policy/policy.hpp"

namespace tq {

class SessionPool;

class Stream {
 public:
  // Nothing is evaluated yet; the prompt is, with the first state().
  Stream(const Policy& policy, Session& session, std::vector<Token> prompt);
  // In the pool's session for the policy, behind what its prompts have in common
  // (SessionPool::open). The pool must outlive the stream.
  Stream(const Policy& policy, SessionPool& pool, std::vector<Token> prompt);

  // Logits and hidden state after all tokens (hidden is empty where the model has none).
  const Output& state();
  // The branch that holds all tokens, all of them evaluated.
  const Branch& branch();
  // From the first evaluation on, keeps the states for trail().
  void keep_trail() { keeps_ = true; }
  // The states behind the prompt's last token and each token appended since. Empty where one of
  // them is not known: they were not kept, the model has none, or a branch was adopted without.
  Trail trail();
  // Appends a token, to be evaluated when it is needed.
  void append(Token token);
  // Commits a branch that was forked from branch(), grown by `token` and evaluated elsewhere:
  // its memory is kept, and nothing is evaluated again. `trail` is trail() grown by its tokens;
  // empty where nobody will ask for it.
  void adopt(Branch branch, Output output, Trail trail = {});

  const Policy& policy() const { return *policy_; }
  Session& session() const { return *session_; }
  const std::vector<Token>& prompt() const { return prompt_; }
  // Tokens evaluated by this object: those of the prompt, whether or not some were held of an
  // earlier prompt, but not those that another user of this prompt counts; and those behind it.
  std::uint64_t prompt_evaluations() const { return prompt_evaluations_; }
  std::uint64_t evaluations() const { return evaluations_; }

 private:
  void evaluate();
  void begin();
  void feed(std::span<const Token> tokens, bool prompt);
  std::size_t expected_length() const;

  const Policy* policy_;
  Session* session_;
  SessionPool* pool_ = nullptr;
  std::vector<Token> prompt_;
  std::vector<Token> pending_;  // appended since
  Branch branch_;
  Output output_;
  bool begun_ = false;  // whether the prompt is evaluated
  bool keeps_ = false;
  Trail trail_;
  std::uint64_t prompt_evaluations_ = 0;
  std::uint64_t evaluations_ = 0;
};

}  // namespace tq
