#include "transferq/policy/stream.hpp"

#include <array>

namespace tq {

Stream::Stream(const Policy& policy, Session& session, std::vector<Token> prompt)
    : policy_(&policy),
      session_(&session),
      prompt_(std::move(prompt)),
      pending_(prompt_),
      branch_(Branch::open(session)) {}

void Stream::evaluate() {
  if (pending_.empty()) return;
  const bool with_prompt = branch_.length() == 0;
  const Want want =
      session_->model().hidden_size() > 0 ? Want::logits | Want::hidden : Want::logits;
  const std::array<Feed, 1> feeds{Feed{branch_.id(), pending_, want}};
  output_ = std::move(session_->forward(feeds).front());
  if (with_prompt) prompt_evaluations_ += prompt_.size();
  evaluations_ += pending_.size() - (with_prompt ? prompt_.size() : 0);
  pending_.clear();
}

const Output& Stream::state() {
  evaluate();
  return output_;
}

const Branch& Stream::branch() {
  evaluate();
  return branch_;
}

void Stream::append(Token token) { pending_.push_back(token); }

void Stream::adopt(Branch branch, Output output) {
  branch_ = std::move(branch);
  output_ = std::move(output);
}

}  // namespace tq
