#include "write_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "transferq/core/error.hpp"

namespace tq::app {

void write_file(const std::string& path, const std::string& text) {
  const auto fail = [&](int reason) {
    throw Error(ErrorKind::io, fmt::format("can't write {}: {}; choose another path", path,
                                           std::strerror(reason)));
  };
  if (std::filesystem::exists(path) && !std::filesystem::is_regular_file(path)) {
    std::ofstream there(path, std::ios::binary);  // a folder refuses, a device takes it
    if (!there || !there.write(text.data(), static_cast<std::streamsize>(text.size())) ||
        !there.flush()) {
      fail(errno);
    }
    return;
  }
  const std::string part = path + ".part";
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  if (!out) fail(errno);
  if (!out.write(text.data(), static_cast<std::streamsize>(text.size())) || !out.flush()) {
    const int reason = errno;
    std::filesystem::remove(part);
    fail(reason);
  }
  out.close();
  std::error_code code;
  std::filesystem::rename(part, path, code);
  if (code) fail(code.value());
}

void check_out(const std::string& path) {
  namespace fs = std::filesystem;
  if (fs::exists(path) && !fs::is_regular_file(path) && !fs::is_directory(path))
    return;  // a device
  const fs::path folder = fs::absolute(path).parent_path();
  if (fs::is_directory(path) || ::access(folder.c_str(), W_OK | X_OK) != 0) {
    throw Error(ErrorKind::io,
                fmt::format("can't write {}: check the folder and the space left", path));
  }
}

}  // namespace tq::app
