// Models small enough for unit tests, written as GGUF files: a transformer of the `llama`
// architecture with random F32 weights and a byte-level BPE vocabulary, and adapters for it.
//
// Guarantees: the bytes of a file depend on the arguments alone, on any machine; the vocabulary
// covers every byte, so any UTF-8 text survives tokenize() and back, and it has merges, so the
// tokens of a text a model generated can differ from the tokens it generated; next-token
// distributions depend on the whole prefix, are neither uniform nor dominated by one token, prefer
// printable ASCII (a few per cent fall on other bytes), and end a response after some dozen tokens.
// Thread-safety: free functions without shared state; two calls must not write the same path.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "transferq/engine/encoder.hpp"

namespace tq::llama {

struct TinyModelOptions {
  std::uint64_t seed = 1;  // of the weights
  int layers = 2;
  int embedding = 32;  // divisible by `heads`, and the quotient is even
  int heads = 4;
  int feed_forward = 64;
  int context = 256;                 // tokens
  bool chat_template = true;         // whether the file has one (ChatML)
  double temperature = 1.0;          // divides the logits: larger is flatter
  std::optional<Pooling> pooling{};  // makes it an embedding model, too
  bool begins = false;               // whether <|im_start|> is added in front of a text
};

struct TinyAdapterOptions {
  std::uint64_t seed = 1;
  int rank = 4;        // of a LoRA; unused by a control vector
  double scale = 1.0;  // 0 leaves the model as it is, 1 changes its distribution visibly
};

// The special tokens <|endoftext|>, <|im_start|> and <|im_end|> are tokens 0, 1 and 2, of which the
// first and the last end a response; the 256 bytes follow in order, then the merges. All functions
// throw Error (usage) for options that make no model and Error (io) if the file can't be written.
void write_tiny_model(const std::filesystem::path& path, const TinyModelOptions& options = {});

// A LoRA adapter on the attention and feed-forward matrices of the model with the given options.
void write_tiny_lora(const std::filesystem::path& path, const TinyModelOptions& base,
                     const TinyAdapterOptions& options = {});

// A control vector (a direction for every layer but the first, so two layers at least) for the
// same.
void write_tiny_control_vector(const std::filesystem::path& path, const TinyModelOptions& base,
                               const TinyAdapterOptions& options = {});

}  // namespace tq::llama
