#include "transferq/engine/llama/gguf_file.hpp"

#include <fmt/format.h>

#include "transferq/engine/llama/runtime.hpp"

namespace tq::llama {

GgufFile::GgufFile() : gguf_(gguf_init_empty()) {}

GgufFile GgufFile::open(const std::filesystem::path& path, ErrorKind kind, bool weights) {
  ensure_started();
  if (!std::filesystem::is_regular_file(path)) {
    throw Error(kind, fmt::format("no file {}; check the path", path.string()));
  }
  clear_log();
  ggml_context* tensors = nullptr;
  const gguf_init_params params{.no_alloc = !weights, .ctx = weights ? &tensors : nullptr};
  GgufFile file;
  file.gguf_.reset(gguf_init_from_file(path.c_str(), params));
  file.ggml_.reset(tensors);
  if (file.gguf_ == nullptr) {
    throw Error(kind, fmt::format("{} is not a whole GGUF file: {}", path.string(), last_error()));
  }
  return file;
}

std::optional<std::string> GgufFile::text(const char* key) const {
  const auto id = gguf_find_key(gguf_.get(), key);
  if (id < 0 || gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_STRING) return std::nullopt;
  return gguf_get_val_str(gguf_.get(), id);
}

std::optional<double> GgufFile::number(const char* key) const {
  const auto id = gguf_find_key(gguf_.get(), key);
  if (id < 0) return std::nullopt;
  switch (gguf_get_kv_type(gguf_.get(), id)) {
    case GGUF_TYPE_FLOAT32:
      return gguf_get_val_f32(gguf_.get(), id);
    case GGUF_TYPE_FLOAT64:
      return gguf_get_val_f64(gguf_.get(), id);
    case GGUF_TYPE_UINT32:
      return gguf_get_val_u32(gguf_.get(), id);
    default:
      return std::nullopt;
  }
}

std::optional<std::uint64_t> GgufFile::whole(const char* key) const {
  const auto id = gguf_find_key(gguf_.get(), key);
  if (id < 0 || gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_UINT64) return std::nullopt;
  return gguf_get_val_u64(gguf_.get(), id);
}

std::optional<std::vector<float>> GgufFile::values(const char* tensor) const {
  const ggml_tensor* t = ggml_ == nullptr ? nullptr : ggml_get_tensor(ggml_.get(), tensor);
  if (t == nullptr || t->type != GGML_TYPE_F32) return std::nullopt;
  const auto* data = static_cast<const float*>(t->data);
  return std::vector<float>(data, data + ggml_nelements(t));
}

}  // namespace tq::llama
