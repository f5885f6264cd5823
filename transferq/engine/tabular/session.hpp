// A session over a table: nothing is computed but the bookkeeping, which is the same as every
// engine's.
//
// Thread-safety: one thread at a time; sessions of one model are independent.
#pragma once

#include "transferq/engine/branch_table.hpp"
#include "transferq/engine/tabular/model.hpp"

namespace tq::tabular {

class TabularSession : public Session {
 public:
  // A model held by a shared_ptr is kept alive; any other must outlive the session.
  TabularSession(const TabularModel& model, const SessionOptions& options);

  const Model& model() const override { return model_; }
  Capacity capacity() const override { return table_.capacity(); }
  std::uint64_t evaluations() const override { return evaluations_; }

  BranchId open() override { return table_.open(); }
  BranchId fork(BranchId branch) override { return table_.fork(branch); }
  void truncate(BranchId branch, std::size_t length) override { table_.truncate(branch, length); }
  void drop(BranchId branch) override { table_.drop(branch); }
  std::vector<Token> tokens(BranchId branch) const override { return table_.tokens(branch); }
  std::size_t length(BranchId branch) const override { return table_.length(branch); }
  std::vector<Output> forward(std::span<const Feed> feeds) override;

 private:
  void read_each(std::span<const Token> tokens, const Feed& feed, Output& output) const;

  const TabularModel& model_;
  std::shared_ptr<const TabularModel> keep_;
  BranchTable table_;
  std::uint64_t evaluations_ = 0;
};

}  // namespace tq::tabular
