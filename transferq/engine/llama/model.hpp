// Models in GGUF files, evaluated by llama.cpp. This folder alone includes its headers.
#pragma once

#include <filesystem>
#include <memory>

#include "transferq/engine/model.hpp"

namespace tq::llama {

struct LoadOptions {
  int gpu_layers = -1;  // layers kept on a GPU; negative = all of them, where there is one
};

// Loads a model. Throws Error (model) with what llama.cpp said when the file is missing, truncated,
// not GGUF, or of an architecture whose branches can't be forked (recurrent ones).
// Thread-safe.
std::shared_ptr<const Model> load_model(const std::filesystem::path& path,
                                        const LoadOptions& options = {});

// The version of llama.cpp, for reports.
std::string engine_version();

}  // namespace tq::llama
