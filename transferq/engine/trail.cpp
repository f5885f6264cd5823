#include "transferq/engine/trail.hpp"

#include <utility>

namespace tq {

struct Trail::Node {
  Node(std::vector<float> s, std::shared_ptr<Node> b)
      : state(std::move(s)), length(b == nullptr ? 1 : b->length + 1), before(std::move(b)) {}
  // Node by node: thousands of them, one within the other, would need their stack.
  ~Node() {
    while (before != nullptr && before.use_count() == 1) before = std::move(before->before);
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  std::vector<float> state;
  std::size_t length;  // up to this one
  std::shared_ptr<Node> before;
};

std::size_t Trail::length() const { return end_ == nullptr ? 0 : end_->length; }

const std::vector<float>& Trail::last() const { return end_->state; }

std::vector<const std::vector<float>*> Trail::states() const {
  std::vector<const std::vector<float>*> out(length());
  for (const Node* node = end_.get(); node != nullptr; node = node->before.get()) {
    out[node->length - 1] = &node->state;
  }
  return out;
}

void Trail::append(std::vector<float> state) {
  end_ = std::make_shared<Node>(std::move(state), end_);
}

void Trail::append_rows(std::span<const float> rows, std::size_t width) {
  for (std::size_t at = 0; at < rows.size(); at += width) {
    append({rows.begin() + static_cast<std::ptrdiff_t>(at),
            rows.begin() + static_cast<std::ptrdiff_t>(at + width)});
  }
}

Trail Trail::first(std::size_t length) const {
  Trail out = *this;
  while (out.length() > length) out.end_ = std::shared_ptr<Node>(out.end_->before);
  return out;
}

}  // namespace tq
