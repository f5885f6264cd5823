// A llama.cpp context as a Session: one unified KV memory, one sequence a branch. Private to this
// folder; see engine/session.hpp for the contract.
#pragma once

#include <llama.h>

#include <memory>
#include <vector>

#include "transferq/engine/branch_table.hpp"
#include "transferq/engine/llama/context.hpp"
#include "transferq/engine/llama/loaded_model.hpp"

namespace tq::llama {

class LlamaSession final : public Session {
 public:
  LlamaSession(std::shared_ptr<const LoadedModel> model, const SessionOptions& options);
  ~LlamaSession() override;

  const Model& model() const override { return *model_; }
  Capacity capacity() const override { return table_->capacity(); }
  std::uint64_t evaluations() const override { return evaluations_; }
  BranchId open() override { return table_->open(); }
  BranchId fork(BranchId branch) override;
  void truncate(BranchId branch, std::size_t length) override;
  void drop(BranchId branch) override;
  std::vector<Token> tokens(BranchId branch) const override { return table_->tokens(branch); }
  std::size_t length(BranchId branch) const override { return table_->length(branch); }
  std::vector<Output> forward(std::span<const Feed> feeds) override;

 private:
  struct Slot;  // where in the batch the output of a feed comes from
  static bool on_tensor(ggml_tensor* tensor, bool ask, void* self);
  static bool on_abort(void* self);
  void add(const Feed& feed, std::size_t offset, bool output);
  void evaluate(std::span<const Slot> slots, std::vector<Output>& outputs);

  std::shared_ptr<const LoadedModel> model_;
  Context context_;
  std::unique_ptr<BranchTable> table_;
  llama_batch batch_;
  std::size_t batch_capacity_;
  std::size_t output_capacity_;
  bool capture_ = false;       // whether this evaluation reads hidden states
  std::vector<float> hidden_;  // the captured ones, a row for each output of the batch
  std::uint64_t evaluations_ = 0;
};

}  // namespace tq::llama
