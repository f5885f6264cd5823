// A GGUF file in the making: metadata and F32 tensors, held in memory until written. Private to
// this folder. One thread at a time.
#pragma once

#include <ggml.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "transferq/engine/llama/gguf_file.hpp"

namespace tq::llama {

class GgufWriter {
 public:
  GgufWriter();

  void set(const char* key, const char* value);
  void set(const char* key, int value);  // as an unsigned 32-bit number
  void set(const char* key, float value);
  void set(const char* key, double value);
  void set(const char* key, std::uint64_t value);
  void set(const char* key, bool value);
  void set(const char* key, const std::vector<std::string>& values);
  void set(const char* key, const std::vector<std::int32_t>& values);

  // A tensor of `rows` rows (0: a vector); the value of an entry comes from its row and column.
  // Throws Error (usage) when there are already some thousand tensors.
  void add(const std::string& name, int columns, int rows,
           const std::function<float(int row, int column)>& entry);

  // Throws Error (io).
  void write(const std::filesystem::path& path) const;

 private:
  struct Free {
    void operator()(ggml_context* context) const { ggml_free(context); }
  };
  GgufFile gguf_;
  std::unique_ptr<ggml_context, Free> tensors_;
  std::vector<std::vector<float>> data_;  // what the tensors of gguf_ point to
};

}  // namespace tq::llama
