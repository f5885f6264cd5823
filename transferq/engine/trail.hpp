// The hidden states behind a text's tokens, one after the other: an immutable list that grows at
// its end. Texts that begin alike share what they have in common, so that a fork costs nothing and
// a step back is no evaluation. A copy costs a pointer, and copies may live in different threads.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace tq {

class Trail {
 public:
  bool empty() const { return end_ == nullptr; }
  std::size_t length() const;  // states
  // The state behind the last token, [hidden size]. Not of an empty trail.
  const std::vector<float>& last() const;
  // All of them in order; they live as long as the trail.
  std::vector<const std::vector<float>*> states() const;

  void append(std::vector<float> state);
  // Rows of `width` numbers, a state each.
  void append_rows(std::span<const float> rows, std::size_t width);
  // The first `length` states; all of them where there are no more.
  Trail first(std::size_t length) const;

 private:
  struct Node;
  std::shared_ptr<Node> end_;  // shared by trails, and never changed
};

}  // namespace tq
