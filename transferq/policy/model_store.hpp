// Loads each model once, and reads policies from their short form on the command line:
// `smollm2,system=Be kind` or `FILE.gguf,lora=ADAPTER.gguf,lora-scale=0.5`.
// Thread-safe.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "transferq/engine/llama/encoder.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/policy/policy.hpp"

namespace tq {

// The model that a policy's list names, or "". Throws Error (usage) as ModelStore::policy() does.
std::string named_model(std::string_view list, std::string_view what);

class ModelStore {
 public:
  explicit ModelStore(llama::LoadOptions options = {}) : options_(options) {}

  // The model for a name of the catalog or a path.
  std::shared_ptr<const Model> model(std::string_view name_or_path);

  // The encoder for a name of the catalog or a path.
  std::shared_ptr<const Encoder> encoder(std::string_view name_or_path);

  // The policy a list describes. Keys: system, lora, lora-scale, control, control-scale. `what`
  // names the flag in messages; `fallback` is the model when the list names none (such as
  // `system=Be kind`).
  Policy policy(std::string_view list, std::string_view what, Format format,
                std::string_view fallback = "");
  // The same, on this model when the list names none.
  Policy policy(std::string_view list, std::string_view what, Format format,
                std::shared_ptr<const Model> fallback);

 private:
  llama::LoadOptions options_;
  std::mutex mutex_;
  std::map<std::filesystem::path, std::shared_ptr<const Model>> models_;
  std::map<std::filesystem::path, std::shared_ptr<const Encoder>> encoders_;
};

}  // namespace tq
