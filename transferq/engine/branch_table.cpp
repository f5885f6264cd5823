#include "transferq/engine/branch_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "transferq/core/error.hpp"

namespace tq {

struct BranchTable::Node {
  Token token;
  std::size_t length;  // tokens up to and including this one
  std::shared_ptr<Node> parent;
};

BranchTable::BranchTable(std::size_t branches, std::size_t cells)
    : tips_(branches), cells_(cells) {}

BranchTable::~BranchTable() {
  for (Tip& t : tips_) release(std::move(t.node));
}

// Frees a chain from its tip, one node at a time: recursion would overflow on long prompts.
void BranchTable::release(std::shared_ptr<Node> node) {
  while (node != nullptr && node.use_count() == 1) {
    std::shared_ptr<Node> parent = std::move(node->parent);
    node = std::move(parent);
    --used_;
  }
}

const BranchTable::Tip& BranchTable::tip(BranchId branch) const {
  if (branch < 0 || static_cast<std::size_t>(branch) >= tips_.size() ||
      !tips_[static_cast<std::size_t>(branch)].live) {
    throw Error(ErrorKind::usage, fmt::format("branch {} does not exist", branch));
  }
  return tips_[static_cast<std::size_t>(branch)];
}

BranchId BranchTable::claim() {
  const auto it = std::find_if(tips_.begin(), tips_.end(), [](const Tip& t) { return !t.live; });
  if (it == tips_.end()) {
    throw Error(ErrorKind::capacity, fmt::format("all {} branches of the session are in use; "
                                                 "use fewer candidates or roll-outs",
                                                 tips_.size()));
  }
  it->live = true;
  ++live_;
  return static_cast<BranchId>(it - tips_.begin());
}

BranchId BranchTable::open() { return claim(); }

BranchId BranchTable::fork(BranchId branch) {
  const std::shared_ptr<Node> node = tip(branch).node;
  const BranchId copy = claim();
  tips_[static_cast<std::size_t>(copy)].node = node;
  return copy;
}

void BranchTable::truncate(BranchId branch, std::size_t length) {
  std::shared_ptr<Node> node = tip(branch).node;
  if (length > this->length(branch)) {
    throw Error(ErrorKind::usage, fmt::format("branch {} has {} tokens, not {}", branch,
                                              this->length(branch), length));
  }
  std::shared_ptr<Node> kept = node;
  while (kept != nullptr && kept->length > length) kept = kept->parent;
  tips_[static_cast<std::size_t>(branch)].node = std::move(kept);
  release(std::move(node));
}

void BranchTable::drop(BranchId branch) {
  tip(branch);
  Tip& t = tips_[static_cast<std::size_t>(branch)];
  release(std::move(t.node));
  t = Tip{};
  --live_;
}

void BranchTable::check(std::span<const Feed> feeds, std::size_t vocabulary) const {
  std::size_t wanted = 0;
  std::set<BranchId> seen;
  for (const Feed& feed : feeds) {
    tip(feed.branch);
    if (feed.tokens.empty() || !seen.insert(feed.branch).second) {
      throw Error(ErrorKind::usage, "a feed needs at least one token and a branch of its own");
    }
    for (const Token token : feed.tokens) {
      if (token < 0 || static_cast<std::size_t>(token) >= vocabulary) {
        throw Error(ErrorKind::usage,
                    fmt::format("token {} is outside the vocabulary of {}", token, vocabulary));
      }
    }
    wanted += feed.tokens.size();
  }
  if (used_ + wanted > cells_) {
    throw Error(ErrorKind::capacity,
                fmt::format("the session holds {} cells, {} are in use and {} more are needed; "
                            "raise --context or use fewer candidates",
                            cells_, used_, wanted));
  }
}

void BranchTable::append(BranchId branch, std::span<const Token> tokens) {
  std::shared_ptr<Node> node = tip(branch).node;
  for (const Token token : tokens) {
    const std::size_t length = node == nullptr ? 1 : node->length + 1;
    node = std::make_shared<Node>(Node{token, length, std::move(node)});
    ++used_;
  }
  tips_[static_cast<std::size_t>(branch)].node = std::move(node);
}

std::vector<Token> BranchTable::tokens(BranchId branch) const {
  std::vector<Token> out(length(branch));
  for (const Node* n = tip(branch).node.get(); n != nullptr; n = n->parent.get()) {
    out[n->length - 1] = n->token;
  }
  return out;
}

std::size_t BranchTable::length(BranchId branch) const {
  const std::shared_ptr<Node>& node = tip(branch).node;
  return node == nullptr ? 0 : node->length;
}

Capacity BranchTable::capacity() const {
  return {tips_.size(), cells_, tips_.size() - live_, cells_ - used_};
}

}  // namespace tq
