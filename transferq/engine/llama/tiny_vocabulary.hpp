// The vocabulary of tiny models: byte-level BPE over all 256 bytes with a few merges, and the three
// special tokens of ChatML. Private to this folder. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "transferq/engine/llama/gguf_writer.hpp"

namespace tq::llama {

// The special tokens come first.
inline constexpr int kTinyEndOfText = 0, kTinyStart = 1, kTinyEnd = 2, kTinySpecials = 3;

// The bytes of each token in order, "" for a special one.
std::vector<std::string> tiny_token_bytes();

// The keys a tokenizer is read from.
void write_tiny_vocabulary(GgufWriter& file, bool begins);

}  // namespace tq::llama
