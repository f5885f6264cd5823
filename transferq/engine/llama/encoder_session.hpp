// A llama.cpp context that pools: many texts in one evaluation, a sequence each. Private to this
// folder; see engine/encoder.hpp for the contract.
#pragma once

#include <llama.h>

#include <memory>
#include <vector>

#include "transferq/core/token.hpp"
#include "transferq/engine/llama/loaded_encoder.hpp"

namespace tq::llama {

class LlamaEncoderSession final : public EncoderSession {
 public:
  LlamaEncoderSession(std::shared_ptr<const LoadedEncoder> encoder, int threads);
  ~LlamaEncoderSession() override;

  std::vector<std::vector<float>> embed(std::span<const std::string> texts) override;
  std::vector<std::vector<float>> rank(std::span<const RankPair> pairs) override;
  std::uint64_t evaluations() const override { return evaluations_; }

 private:
  struct Free {
    void operator()(llama_context* context) const { llama_free(context); }
  };
  using Range = std::span<const std::vector<Token>>;
  void make_room(std::size_t tokens);
  // What llama.cpp pools from each sequence, `width` numbers; {} for one without tokens.
  std::vector<std::vector<float>> pool(Range sequences, std::size_t width);
  void evaluate(Range sequences, std::size_t width, std::vector<std::vector<float>>& out);

  std::shared_ptr<const LoadedEncoder> encoder_;
  int threads_;
  std::unique_ptr<llama_context, Free> context_;  // opened when something must be evaluated
  llama_batch batch_{};
  std::size_t capacity_ = 0;  // tokens of an evaluation
  std::uint64_t evaluations_ = 0;
};

}  // namespace tq::llama
