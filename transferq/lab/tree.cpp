#include "transferq/lab/tree.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "transferq/core/error.hpp"

namespace tq::lab {
namespace {

// How many prefixes there are, or something above kMost.
std::size_t count_prefixes(std::size_t vocabulary, std::size_t max_tokens, bool end) {
  const std::size_t growing = vocabulary - (end ? 1 : 0);
  std::size_t total = 1, open = 1;
  for (std::size_t t = 0; t < max_tokens && open > 0 && total <= Tree::kMost; ++t) {
    total += open * vocabulary;
    open *= growing;
  }
  return total;
}

}  // namespace

Tree::Tree(std::size_t vocabulary, std::size_t max_tokens, std::optional<Token> end)
    : vocabulary_(vocabulary), max_tokens_(max_tokens), end_(end) {
  if (vocabulary == 0 || max_tokens == 0) {
    throw Error(ErrorKind::usage, "a world needs at least one token, and room for one");
  }
  if (end && (*end < 0 || static_cast<std::size_t>(*end) >= vocabulary)) {
    throw Error(ErrorKind::usage, fmt::format("the end token {} is not one of the {} tokens of "
                                              "the world",
                                              *end, vocabulary));
  }
  if (vocabulary > kMost || max_tokens > 60'000 ||
      count_prefixes(vocabulary, max_tokens, end.has_value()) > kMost) {
    throw Error(ErrorKind::usage,
                fmt::format("a world of {} tokens and responses of up to {} has more than {} "
                            "prefixes to solve; take fewer tokens or a shorter length",
                            vocabulary, max_tokens, kMost));
  }
  first_ = {0};
  parent_ = {0};
  depth_ = {0};
  for (Node node = 0; node < first_.size(); ++node) {
    const bool ended = node > 0 && end_ == token(node);
    if (ended || depth_[node] == max_tokens_) {
      ++leaves_;
      continue;
    }
    first_[node] = static_cast<std::uint32_t>(first_.size());
    const std::size_t size = first_.size() + vocabulary_;
    first_.resize(size, 0);
    parent_.resize(size, static_cast<std::uint32_t>(node));
    depth_.resize(size, static_cast<std::uint16_t>(depth_[node] + 1));
  }
}

Token Tree::token(Node node) const { return static_cast<Token>(node - first_[parent_[node]]); }

tabular::Prefix Tree::prefix(Node node) const {
  tabular::Prefix out;
  for (; node != 0; node = parent_[node]) out.push_back(token(node));
  std::reverse(out.begin(), out.end());
  return out;
}

std::optional<Node> Tree::find(std::span<const Token> prefix) const {
  Node node = 0;
  for (const Token token : prefix) {
    if (leaf(node) || token < 0 || static_cast<std::size_t>(token) >= vocabulary_) return {};
    node = child(node, static_cast<std::size_t>(token));
  }
  return node;
}

}  // namespace tq::lab
