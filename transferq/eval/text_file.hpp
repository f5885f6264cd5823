// A text file, gzip-compressed or not (by zlib), as a whole.
#pragma once

#include <filesystem>
#include <string>

namespace tq {

// Throws Error (io) when the file can't be read, or is compressed and damaged or cut short.
std::string read_text_file(const std::filesystem::path& path);

}  // namespace tq
