#include "transferq/engine/llama/gguf_writer.hpp"

#include <fmt/format.h>
#include <gguf.h>

#include <algorithm>
#include <cstdio>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/runtime.hpp"

namespace tq::llama {

GgufWriter::GgufWriter() {
  ensure_started();
  tensors_.reset(
      ggml_init({.mem_size = std::size_t{1} << 20, .mem_buffer = nullptr, .no_alloc = true}));
}

void GgufWriter::set(const char* key, const char* value) {
  gguf_set_val_str(gguf_.get(), key, value);
}
void GgufWriter::set(const char* key, int value) {
  gguf_set_val_u32(gguf_.get(), key, static_cast<std::uint32_t>(value));
}
void GgufWriter::set(const char* key, float value) { gguf_set_val_f32(gguf_.get(), key, value); }
void GgufWriter::set(const char* key, double value) { gguf_set_val_f64(gguf_.get(), key, value); }
void GgufWriter::set(const char* key, std::uint64_t value) {
  gguf_set_val_u64(gguf_.get(), key, value);
}
void GgufWriter::set(const char* key, bool value) { gguf_set_val_bool(gguf_.get(), key, value); }
void GgufWriter::set(const char* key, const std::vector<std::string>& values) {
  std::vector<const char*> pointers;
  for (const std::string& value : values) pointers.push_back(value.c_str());
  gguf_set_arr_str(gguf_.get(), key, pointers.data(), pointers.size());
}
void GgufWriter::set(const char* key, const std::vector<std::int32_t>& values) {
  gguf_set_arr_data(gguf_.get(), key, GGUF_TYPE_INT32, values.data(), values.size());
}

void GgufWriter::add(const std::string& name, int columns, int rows,
                     const std::function<float(int row, int column)>& entry) {
  if (ggml_get_mem_size(tensors_.get()) - ggml_used_mem(tensors_.get()) <
      2 * ggml_tensor_overhead()) {
    throw Error(ErrorKind::usage, "too many tensors for one file; make the model smaller");
  }
  std::vector<float>& data = data_.emplace_back();
  for (int row = 0; row < std::max(rows, 1); ++row) {
    for (int column = 0; column < columns; ++column) data.push_back(entry(row, column));
  }
  ggml_tensor* tensor = rows == 0
                            ? ggml_new_tensor_1d(tensors_.get(), GGML_TYPE_F32, columns)
                            : ggml_new_tensor_2d(tensors_.get(), GGML_TYPE_F32, columns, rows);
  ggml_set_name(tensor, name.c_str());
  gguf_add_tensor(gguf_.get(), tensor);
  gguf_set_tensor_data(gguf_.get(), name.c_str(), data.data());
}

void GgufWriter::write(const std::filesystem::path& path) const {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  const bool written = file != nullptr && gguf_write_to_file_ptr(gguf_.get(), file, false);
  if ((file != nullptr && std::fclose(file) != 0) || !written) {
    throw Error(ErrorKind::io,
                fmt::format("can't write {}: check the folder and the space left", path.string()));
  }
}

}  // namespace tq::llama
