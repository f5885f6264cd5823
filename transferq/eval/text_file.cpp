#include "transferq/eval/text_file.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <memory>

#include "transferq/core/error.hpp"

namespace tq {

std::string read_text_file(const std::filesystem::path& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(
      std::filesystem::is_directory(path) ? nullptr : ::gzopen(path.c_str(), "rb"), ::gzclose);
  if (file == nullptr) {
    throw Error(ErrorKind::io, fmt::format("can't read {}; check the path", path.string()));
  }
  std::string text;
  std::array<char, 1 << 16> buffer{};
  int read = 0;
  while ((read = ::gzread(file.get(), buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(read));
  }
  int code = Z_OK;
  ::gzerror(file.get(), &code);  // a file cut short is told here alone
  if (read < 0 || code != Z_OK) {
    throw Error(ErrorKind::io,
                fmt::format("{} is damaged or cut short; fetch it again", path.string()));
  }
  return text;
}

}  // namespace tq
