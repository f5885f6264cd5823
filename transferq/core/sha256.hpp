// SHA-256 digests (by libcrypto), as lower-case hexadecimal text.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace tq {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void update(std::string_view bytes);
  std::string hex();  // finishes the digest; call once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256(std::string_view bytes);

// The digest of a whole file. Throws Error (io) if it can't be read.
std::string sha256_file(const std::filesystem::path& path);

}  // namespace tq
