#include "transferq/engine/branch_table.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

using Tokens = std::vector<Token>;

template <typename Call>
ErrorKind kind_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::io;
}

TEST(BranchTable, APrefixIsCountedOnce) {
  BranchTable table(3, 10);
  const BranchId a = table.open();
  table.append(a, Tokens{1, 2, 3});
  const BranchId b = table.fork(a);
  EXPECT_EQ(table.capacity().free_cells, 7u);
  EXPECT_EQ(table.capacity().free_branches, 1u);
  table.append(b, Tokens{4});
  EXPECT_EQ(table.tokens(a), (Tokens{1, 2, 3}));
  EXPECT_EQ(table.tokens(b), (Tokens{1, 2, 3, 4}));
  EXPECT_EQ(table.capacity().free_cells, 6u);
  table.drop(a);
  EXPECT_EQ(table.capacity().free_cells, 6u);
  table.truncate(b, 1);
  EXPECT_EQ(table.tokens(b), (Tokens{1}));
  EXPECT_EQ(table.capacity().free_cells, 9u);
  table.drop(b);
  EXPECT_EQ(table.capacity().free_cells, 10u);
  EXPECT_EQ(table.capacity().free_branches, 3u);
}

TEST(BranchTable, DeadBranchesAreUsageErrors) {
  BranchTable table(2, 4);
  const BranchId a = table.open();
  table.drop(a);
  for (const BranchId dead : {a, -1, 2, 1000}) {
    EXPECT_EQ(kind_of([&] { table.drop(dead); }), ErrorKind::usage);
    EXPECT_EQ(kind_of([&] { table.fork(dead); }), ErrorKind::usage);
    EXPECT_EQ(kind_of([&] { table.truncate(dead, 0); }), ErrorKind::usage);
    EXPECT_EQ(kind_of([&] { table.append(dead, Tokens{1}); }), ErrorKind::usage);
    EXPECT_EQ(kind_of([&] { table.tokens(dead); }), ErrorKind::usage);
    EXPECT_EQ(kind_of([&] { table.length(dead); }), ErrorKind::usage);
  }
}

TEST(BranchTable, CheckNamesWhatIsWrong) {
  BranchTable table(2, 4);
  const BranchId a = table.open(), b = table.open();
  const auto check = [&](std::vector<Feed> feeds) {
    return kind_of([&] { table.check(feeds, 5); });
  };
  const Tokens two{1, 2}, three{0, 4, 0}, none, low{-1}, high{1, 5};
  EXPECT_EQ(check({{a, two}, {a, two}}), ErrorKind::usage);
  EXPECT_EQ(check({{a, two}, {b, none}}), ErrorKind::usage);
  EXPECT_EQ(check({{a, low}}), ErrorKind::usage);
  EXPECT_EQ(check({{a, high}}), ErrorKind::usage);
  EXPECT_EQ(check({{a, two}, {b, three}}), ErrorKind::capacity);
  EXPECT_NO_THROW(table.check(std::vector<Feed>{{a, two}, {b, two}}, 5));
}

TEST(BranchTable, LongBranchesAreFreedWithoutRecursion) {
  constexpr std::size_t kLong = 2000000;
  BranchTable table(2, 2 * kLong);
  const BranchId a = table.open(), b = table.open();
  table.append(a, Tokens(kLong, 1));
  table.append(b, Tokens(kLong, 1));
  table.drop(a);
  EXPECT_EQ(table.capacity().free_cells, kLong);
}  // and the table frees the other

// The naive model: a branch is a vector of (cell, token), a cell is never used twice.
struct Naive {
  std::map<BranchId, std::vector<std::pair<int, Token>>> branches;
  int next_cell = 0;

  std::size_t cells() const {
    std::set<int> used;
    for (const auto& [id, content] : branches) {
      for (const auto& [cell, token] : content) used.insert(cell);
    }
    return used.size();
  }
};

using Op = std::tuple<std::uint8_t, std::uint8_t, std::uint8_t>;  // what, on which branch, how much

RC_GTEST_PROP(BranchTable, EqualsTheNaiveModel, (const std::vector<Op>& ops)) {
  constexpr std::size_t kBranches = 5, kCells = 40;
  BranchTable table(kBranches, kCells);
  Naive naive;
  for (const auto& [what, which, amount] : ops) {
    auto at = naive.branches.begin();
    if (!naive.branches.empty()) {
      std::advance(at, static_cast<std::ptrdiff_t>(which % naive.branches.size()));
    }
    const int kind = naive.branches.empty() ? 0 : what % 8;
    if (kind <= 1) {
      const bool copy = kind == 1;
      const auto make = [&] { return copy ? table.fork(at->first) : table.open(); };
      if (naive.branches.size() == kBranches) {
        RC_ASSERT_THROWS_AS(make(), Error);
      } else {
        auto content = copy ? at->second : std::vector<std::pair<int, Token>>{};
        const BranchId id = make();
        RC_ASSERT(naive.branches.emplace(id, std::move(content)).second);
      }
    } else if (kind == 2) {
      table.drop(at->first);
      naive.branches.erase(at);
    } else if (kind == 3) {
      const std::size_t length = amount % (at->second.size() + 2);
      if (length > at->second.size()) {
        RC_ASSERT_THROWS_AS(table.truncate(at->first, length), Error);
      } else {
        table.truncate(at->first, length);
        at->second.resize(length);
      }
    } else {
      const std::vector<Token> tokens(1 + amount % 6u, static_cast<Token>(amount));
      const std::vector<Feed> feeds{{at->first, tokens}};
      if (naive.cells() + tokens.size() > kCells) {
        RC_ASSERT_THROWS_AS(table.check(feeds, 256), Error);
      } else {
        table.check(feeds, 256);
        table.append(at->first, tokens);
        for (const Token token : tokens) at->second.emplace_back(naive.next_cell++, token);
      }
    }
    for (const auto& [id, content] : naive.branches) {
      std::vector<Token> tokens;
      for (const auto& [cell, token] : content) tokens.push_back(token);
      RC_ASSERT(table.tokens(id) == tokens);
      RC_ASSERT(table.length(id) == tokens.size());
    }
    RC_ASSERT(table.capacity().branches == kBranches);
    RC_ASSERT(table.capacity().cells == kCells);
    RC_ASSERT(table.capacity().free_branches == kBranches - naive.branches.size());
    RC_ASSERT(table.capacity().free_cells == kCells - naive.cells());
  }
}

}  // namespace
}  // namespace tq
