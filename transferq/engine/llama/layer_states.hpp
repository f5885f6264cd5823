// The residual stream of a causal model: what each of its layers hands on, read at the tokens of a
// text. Layers are counted from 0, as llama.cpp does: layer N's state is the one to which a control
// vector's tensor direction.N is added, that addition included.
//
// Guarantees: the states depend on the text alone, whatever was read before, up to batch-shape
// rounding. What a text shares with the one before it, ahead of the tokens that are read, is not
// evaluated again.
// Not thread-safe: one reader a thread; the model is shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "transferq/engine/model.hpp"

namespace tq::llama {

struct LayerStates {
  std::size_t layers = 0, width = 0;
  std::vector<float> last;  // [layers x width]: at the text's last token
  std::vector<float> mean;  // [layers x width]: the mean over the tokens that were read
};

class LayerReader {
 public:
  // `options.cells` is the longest text, in tokens (0: the model's context), and `options.outputs`
  // how many tokens are read in one evaluation; threads, cache and adapter count, too. Throws Error
  // (model) for a model that is no GGUF file's.
  LayerReader(const std::shared_ptr<const Model>& model, const SessionOptions& options);
  ~LayerReader();
  LayerReader(const LayerReader&) = delete;
  LayerReader& operator=(const LayerReader&) = delete;

  std::size_t layers() const;
  std::size_t width() const;
  std::string architecture() const;  // of the model, as its file names it

  // Reads the tokens from `first` on. Throws Error: usage when there are none, capacity when the
  // text is longer than the memory, model when the model shows no states of its layers.
  LayerStates read(std::span<const Token> tokens, std::size_t first);

  // Evaluates all of the next text: then its states are the same to the last bit whatever came
  // before.
  void forget();

  std::uint64_t evaluations() const;  // tokens

 private:
  class Capture;
  std::unique_ptr<Capture> capture_;
};

}  // namespace tq::llama
