// Reads tensors of a safetensors file (https://huggingface.co/docs/safetensors, "Format"):
//   8 bytes      N, the header's length, little-endian
//   N bytes      the header, JSON: {"NAME": {"dtype", "shape", "data_offsets": [begin, end]}, ...},
//                and perhaps "__metadata__"
//   the rest     the tensors' bytes, little-endian, row by row; the offsets count from here
//
// The whole header is checked when the file is opened: offsets within the file, sizes that follow
// from type and shape, tensors that do not overlap and leave no gap. Nothing is read but what is
// asked for. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace tq {

class SafetensorsFile {
 public:
  struct Tensor {
    std::string type;  // such as F32
    std::vector<std::size_t> shape;
    std::uint64_t begin = 0, end = 0;  // its bytes, from the start of the data
  };

  // Throws Error: io when the file can't be read, model when it is damaged or no safetensors file.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::map<std::string, Tensor>& tensors() const { return tensors_; }

  // The numbers of an F32, F16 or BF16 tensor. Throws Error (model) when there is none of that name
  // or it is of another type.
  std::vector<float> values(const std::string& name);

 private:
  void read_header(std::uint64_t size);

  std::filesystem::path path_;
  std::ifstream file_;
  std::uint64_t data_ = 0;  // where the tensors' bytes begin
  std::map<std::string, Tensor> tensors_;
};

}  // namespace tq
