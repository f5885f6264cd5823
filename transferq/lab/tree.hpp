// Every prefix of a finite world as a node of a flat tree: the root is the empty response, a leaf a
// finished one. Whatever is known of a world (a policy, a reward, values) is one number a node, in
// a vector, so that a pass over all prefixes is a loop over an index.
//
// Guarantees: a node's children stand together, in token order, behind it; prefixes of equal length
// stand together, shorter ones first. So a loop forwards sees parents first, one backwards children
// first. Thread-safety: immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "transferq/engine/tabular/table.hpp"

namespace tq::lab {

using Node = std::size_t;

// One number a node.
using Values = std::vector<double>;

// A policy: the log-probability of each node's last token after its parent; 0 at the root, minus
// infinity for what never happens.
using Law = std::vector<double>;

class Tree {
 public:
  // Most prefixes a tree may have: beyond it an exact solution would not be seen in a lifetime.
  static constexpr std::size_t kMost = 2'000'000;

  // Throws Error (usage) for no tokens, no length, an end outside the vocabulary, or too large a
  // world.
  Tree(std::size_t vocabulary, std::size_t max_tokens, std::optional<Token> end);

  std::size_t vocabulary() const { return vocabulary_; }
  std::size_t max_tokens() const { return max_tokens_; }
  std::optional<Token> end() const { return end_; }

  std::size_t size() const { return first_.size(); }
  std::size_t leaves() const { return leaves_; }
  bool leaf(Node node) const { return first_[node] == 0; }
  // Of an unfinished response alone.
  Node child(Node node, std::size_t token) const { return first_[node] + token; }
  Node parent(Node node) const { return parent_[node]; }
  std::size_t depth(Node node) const { return depth_[node]; }
  Token token(Node node) const;  // the last one; not of the root

  tabular::Prefix prefix(Node node) const;
  // None where the tokens are no prefix of a response of this world.
  std::optional<Node> find(std::span<const Token> prefix) const;

  // A node's children's part of a vector with one number a node.
  std::span<const double> children(std::span<const double> values, Node node) const {
    return values.subspan(first_[node], vocabulary_);
  }

 private:
  std::size_t vocabulary_, max_tokens_;
  std::optional<Token> end_;
  std::size_t leaves_ = 0;
  std::vector<std::uint32_t> first_;  // its first child; 0 for a leaf
  std::vector<std::uint32_t> parent_;
  std::vector<std::uint16_t> depth_;
};

}  // namespace tq::lab
