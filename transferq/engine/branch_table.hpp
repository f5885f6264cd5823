// The bookkeeping that every engine shares: which branches live, their tokens, and how many cells
// they hold together. A branch is the tip of a chain of nodes, one a token; a fork shares the
// chain.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "transferq/core/token.hpp"
#include "transferq/engine/session.hpp"

namespace tq {

class BranchTable {
 public:
  BranchTable(std::size_t branches, std::size_t cells);
  ~BranchTable();
  BranchTable(const BranchTable&) = delete;
  BranchTable& operator=(const BranchTable&) = delete;

  BranchId open();
  BranchId fork(BranchId branch);
  void truncate(BranchId branch, std::size_t length);
  void drop(BranchId branch);
  // Throws Error (capacity) when the cells do not suffice, (usage) when a feed is malformed: the
  // checks every forward() begins with.
  void check(std::span<const Feed> feeds, std::size_t vocabulary) const;
  void append(BranchId branch, std::span<const Token> tokens);

  std::vector<Token> tokens(BranchId branch) const;
  std::size_t length(BranchId branch) const;
  Capacity capacity() const;

 private:
  struct Node;
  struct Tip {
    std::shared_ptr<Node> node;  // null for an empty branch
    bool live = false;
  };
  const Tip& tip(BranchId branch) const;
  BranchId claim();
  void release(std::shared_ptr<Node> node);

  std::vector<Tip> tips_;
  std::size_t cells_;
  std::size_t used_ = 0;
  std::size_t live_ = 0;
};

}  // namespace tq
