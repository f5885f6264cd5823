#include "transferq/policy/stream.hpp"

#include <array>
#include <utility>

#include "transferq/policy/session_pool.hpp"

namespace tq {

Stream::Stream(const Policy& policy, Session& session, std::vector<Token> prompt)
    : policy_(&policy),
      session_(&session),
      prompt_(std::move(prompt)),
      branch_(Branch::open(session)) {}

Stream::Stream(const Policy& policy, SessionPool& pool, std::vector<Token> prompt)
    : policy_(&policy), session_(&pool.get(policy)), pool_(&pool), prompt_(std::move(prompt)) {}

// Of the prompt the last state is wanted alone, of what comes behind it each.
void Stream::evaluate() {
  if (!begun_) begin();
  if (pending_.empty()) return;
  feed(pending_, false);
  evaluations_ += pending_.size();
  pending_.clear();
}

// Evaluates the prompt, or what the pool does not hold of it.
void Stream::begin() {
  std::size_t shared = 0;
  if (pool_ != nullptr && !branch_) {
    SessionPool::Beginning beginning = pool_->open(*policy_, prompt_);
    branch_ = std::move(beginning.branch);
    // What follows the last token is asked for, so that one is evaluated in any case.
    const std::size_t most = prompt_.empty() ? 0 : prompt_.size() - 1;
    branch_.truncate(std::min(branch_.length(), most));
    shared = std::min(beginning.shared, most);
  }
  if (!prompt_.empty()) feed(std::span(prompt_).subspan(branch_.length()), true);
  prompt_evaluations_ += prompt_.size() - shared;
  begun_ = true;
  if (pool_ != nullptr) pool_->share(*policy_, branch_);
}

// Evaluates tokens that end the prompt or follow it.
void Stream::feed(std::span<const Token> tokens, bool prompt) {
  const std::size_t width = session_->model().hidden_size();
  const bool keeps = keeps_ && width > 0 && (prompt || trail_.length() == expected_length());
  Want want = width > 0 ? Want::logits | Want::hidden : Want::logits;
  if (keeps && !prompt && tokens.size() > 1) want = want | Want::states;
  const std::array<Feed, 1> feeds{Feed{branch_.id(), tokens, want}};
  output_ = std::move(session_->forward(feeds).front());
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
  begun_ = true;
  branch_ = std::move(branch);
  output_ = std::move(output);
  trail_ = std::move(trail);
}

}  // namespace tq
