// What tells model files apart. Private to this folder.
#pragma once

#include <filesystem>
#include <string>

namespace tq::llama {

// A digest of the header (metadata, tensor names, types and shapes) and of blocks spread over the
// weights: it tells quantisations and fine-tunes apart in milliseconds, whatever the file's size.
// Throws Error (model) for a file that is no whole GGUF.
std::string file_identity(const std::filesystem::path& path);

}  // namespace tq::llama
