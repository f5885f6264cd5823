#include "transferq/policy/stream.hpp"

#include <array>
#include <utility>

namespace tq {

Stream::Stream(const Policy& policy, Session& session, std::vector<Token> prompt)
    : policy_(&policy),
      session_(&session),
      prompt_(std::move(prompt)),
      pending_(prompt_),
      branch_(Branch::open(session)) {}

// Of the prompt the last state is wanted alone, of what comes behind it each.
void Stream::evaluate() {
  if (branch_.length() == 0 && !prompt_.empty()) {
    feed(prompt_.size());
    prompt_evaluations_ += prompt_.size();
  }
  evaluations_ += pending_.size();
  if (!pending_.empty()) feed(pending_.size());
}

// Evaluates the first `count` of the pending tokens.
void Stream::feed(std::size_t count) {
  const std::size_t width = session_->model().hidden_size();
  const bool prompt = branch_.length() == 0;
  const bool keeps = keeps_ && width > 0 && (prompt || trail_.length() == expected_length());
  Want want = width > 0 ? Want::logits | Want::hidden : Want::logits;
  if (keeps && !prompt && count > 1) want = want | Want::states;
  const std::array<Feed, 1> feeds{Feed{branch_.id(), std::span(pending_).first(count), want}};
  output_ = std::move(session_->forward(feeds).front());
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
  if (!keeps) return;
  if (output_.states.empty()) {
    trail_.append(output_.hidden);
  } else {
    trail_.append_rows(output_.states, width);
  }
  output_.states.clear();
}

// Of a trail that lacks nothing.
std::size_t Stream::expected_length() const { return branch_.length() - prompt_.size() + 1; }

const Output& Stream::state() {
  evaluate();
  return output_;
}

const Branch& Stream::branch() {
  evaluate();
  return branch_;
}

void Stream::append(Token token) { pending_.push_back(token); }

Trail Stream::trail() {
  evaluate();
  return trail_.length() == expected_length() ? trail_ : Trail();
}

void Stream::adopt(Branch branch, Output output, Trail trail) {
  branch_ = std::move(branch);
  output_ = std::move(output);
  trail_ = std::move(trail);
}

}  // namespace tq
