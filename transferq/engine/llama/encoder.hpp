// Encoders in GGUF files (BERT-like ones, and decoders made for embedding), evaluated by llama.cpp.
//
// A text longer than the model was trained for is cut at its end: its beginning and the final
// special token stay. Special tokens written out in a text stay plain text. The input of a rank
// head is written as llama.cpp's server writes it for its /rerank.
#pragma once

#include <filesystem>
#include <memory>

#include "transferq/engine/encoder.hpp"
#include "transferq/engine/llama/model.hpp"

namespace tq::llama {

// Loads an encoder. Throws Error (model) with what is wrong when the file is missing, truncated, no
// GGUF, has no pooling (a plain language model), or has a rank head that can't tell texts apart: no
// classifier tensors, or a single label under a softmax.
// Thread-safe.
std::shared_ptr<const Encoder> load_encoder(const std::filesystem::path& path,
                                            const LoadOptions& options = {});

}  // namespace tq::llama
