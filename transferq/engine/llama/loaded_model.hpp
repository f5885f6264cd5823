// A GGUF model in memory: the Model port over llama.cpp. Private to this folder; see model.hpp.
// Thread-safe.
#pragma once

#include <llama.h>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "transferq/engine/model.hpp"

namespace tq::llama {

class LoadedModel final : public Model, public std::enable_shared_from_this<LoadedModel> {
 public:
  LoadedModel(std::filesystem::path path, llama_model* model);  // takes ownership of `model`
  ~LoadedModel() override;

  std::string name() const override;
  std::string identity() const override { return identity_; }
  std::string vocabulary_identity() const override { return vocabulary_identity_; }
  std::size_t vocabulary() const override;
  std::size_t hidden_size() const override;
  std::size_t context() const override;
  bool is_end(Token token) const override;
  Token end() const override;
  std::vector<Token> tokenize(std::string_view text, bool special) const override;
  std::string piece(Token token, bool special) const override;
  std::string apply_chat_template(std::span<const Message> messages) const override;
  std::unique_ptr<Session> open_session(const SessionOptions& options) const override;

  llama_model* get() const { return model_.get(); }
  // The adapter in the file, loaded once a model.
  llama_adapter_lora* lora(const std::string& path) const;

 private:
  struct Free {
    void operator()(llama_model* model) const { llama_model_free(model); }
  };
  std::filesystem::path path_;
  std::unique_ptr<llama_model, Free> model_;
  const llama_vocab* vocab_;
  std::string identity_;
  std::string vocabulary_identity_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, llama_adapter_lora*> loras_;
};

}  // namespace tq::llama
