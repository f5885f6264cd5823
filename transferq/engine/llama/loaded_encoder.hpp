// A GGUF encoder in memory: the Encoder port over llama.cpp. Private to this folder; see
// encoder.hpp. Thread-safe.
#pragma once

#include <llama.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "transferq/engine/encoder.hpp"

namespace tq::llama {

class LoadedEncoder final : public Encoder, public std::enable_shared_from_this<LoadedEncoder> {
 public:
  // Takes ownership of `model`.
  LoadedEncoder(std::filesystem::path path, llama_model* model, Pooling pooling,
                bool probabilities);

  std::string name() const override { return path_.filename().string(); }
  std::string identity() const override { return identity_; }
  Pooling pooling() const override { return pooling_; }
  std::size_t dimensions() const override;
  std::size_t longest() const override;
  std::vector<std::string> labels() const override;
  bool probabilities() const override { return probabilities_; }
  std::unique_ptr<EncoderSession> open_session(int threads) const override;

  llama_model* get() const { return model_.get(); }
  const llama_vocab* vocabulary() const { return llama_model_get_vocab(model_.get()); }

 private:
  struct Free {
    void operator()(llama_model* model) const { llama_model_free(model); }
  };
  std::filesystem::path path_;
  std::unique_ptr<llama_model, Free> model_;
  std::string identity_;
  Pooling pooling_;
  bool probabilities_;
};

}  // namespace tq::llama
