#include "transferq/engine/llama/file_identity.hpp"

#include <fmt/format.h>
#include <gguf.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/engine/llama/gguf_file.hpp"

namespace tq::llama {

std::string file_identity(const std::filesystem::path& path) {
  constexpr std::size_t kBlock = 64 << 10;
  constexpr std::size_t kBlocks = 64;
  const GgufFile header = GgufFile::open(path, ErrorKind::model);
  const std::size_t size = std::filesystem::file_size(path);
  const std::size_t data = gguf_get_data_offset(header.get());
  std::ifstream file(path, std::ios::binary);
  std::vector<char> buffer(std::max(data, kBlock));
  Sha256 digest;
  digest.update(fmt::format("{}:", size));
  const auto add = [&](std::size_t offset, std::size_t count) {
    file.clear();
    file.seekg(static_cast<std::streamoff>(offset));
    file.read(buffer.data(), static_cast<std::streamsize>(count));
    digest.update({buffer.data(), static_cast<std::size_t>(file.gcount())});
  };
  add(0, data);
  const std::size_t weights = size > data ? size - data : 0;
  for (std::size_t i = 0; i < kBlocks; ++i) add(data + weights / kBlocks * i, kBlock);
  return digest.hex();
}

}  // namespace tq::llama
