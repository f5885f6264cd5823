// Encoders small enough for unit tests, written as GGUF files: a BERT with random F32 weights and a
// WordPiece vocabulary of letters, some words and punctuation, lower-cased.
//
// Guarantees: the bytes of a file depend on the arguments alone, on any machine; embeddings and
// scores depend on every token and on their order. Thread-safety: as tiny_model.hpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "transferq/engine/encoder.hpp"

namespace tq::llama {

struct TinyEncoderOptions {
  std::uint64_t seed = 1;  // of the weights
  int layers = 2;
  int embedding = 32;  // divisible by `heads`
  int heads = 4;
  int feed_forward = 64;
  int context = 64;  // tokens
  Pooling pooling = Pooling::mean;
  std::vector<std::string> labels{};  // of a rank head; none = one without a name
  bool classifier = true;             // whether a rank head has its tensors
  bool ends = false;                  // whether the vocabulary closes query and text with [SEP]
  std::string architecture = "bert";  // another one can't be loaded, only refused
  std::string rerank_template{};      // with {query} and {document}, or ""
};

// The special tokens [PAD], [UNK], [CLS], [SEP] and [MASK] are tokens 0 to 4. Throws Error (usage)
// for options that make no model and Error (io) if the file can't be written.
void write_tiny_encoder(const std::filesystem::path& path, const TinyEncoderOptions& options = {});

}  // namespace tq::llama
