// What decoder and encoder models have in common: reading a GGUF file, and its tokenizer. Private
// to this folder. Thread-safe.
#pragma once

#include <llama.h>

#include <filesystem>
#include <string_view>
#include <vector>

#include "transferq/core/token.hpp"
#include "transferq/engine/llama/model.hpp"

namespace tq::llama {

// The caller owns the model. Throws Error (model) when the file is not a whole GGUF model.
llama_model* load_weights(const std::filesystem::path& path, const LoadOptions& options);

// `add`: put the tokens that begin and end a text around it; `parse`: special tokens written out in
// the text become those tokens.
std::vector<Token> tokenize(const llama_vocab* vocab, std::string_view text, bool add, bool parse);

}  // namespace tq::llama
