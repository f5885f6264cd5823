// An open GGUF file: owning handles around gguf_context. Private to this folder.
#pragma once

#include <ggml.h>
#include <gguf.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transferq/core/error.hpp"

namespace tq::llama {

class GgufFile {
 public:
  // Reads metadata, and with `weights` also the tensors. Throws Error of the given kind.
  static GgufFile open(const std::filesystem::path& path, ErrorKind kind, bool weights = false);
  // An empty one to be filled and written.
  GgufFile();

  gguf_context* get() const { return gguf_.get(); }
  ggml_context* tensors() const { return ggml_.get(); }

  std::optional<std::string> text(const char* key) const;
  std::optional<double> number(const char* key) const;
  std::optional<std::uint64_t> whole(const char* key) const;  // an unsigned 64-bit number
  // The values of an F32 tensor; nothing when it is absent or of another type.
  std::optional<std::vector<float>> values(const char* tensor) const;

 private:
  struct FreeGguf {
    void operator()(gguf_context* context) const { gguf_free(context); }
  };
  struct FreeGgml {
    void operator()(ggml_context* context) const { ggml_free(context); }
  };
  std::unique_ptr<gguf_context, FreeGguf> gguf_;
  std::unique_ptr<ggml_context, FreeGgml> ggml_;
};

}  // namespace tq::llama
