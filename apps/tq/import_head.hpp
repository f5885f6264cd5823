// Heads that were fitted elsewhere, as heads of ours: the last layer of a published
// sequence-classification model, whose other layers were converted to GGUF.
#pragma once

#include <filesystem>
#include <string>

#include "transferq/engine/llama/head_file.hpp"
#include "transferq/engine/model.hpp"

namespace tq::app {

struct SafetensorsHead {
  std::filesystem::path file;
  std::string label;                    // a number or a name; "" where the head has one label
  std::string tensor = "score.weight";  // [labels, hidden]; its bias, if any, is beside it
};

// A name of a label is looked up in the id2label of the config.json beside the file. The head reads
// the conversation and is read at the token that ends the turn, as such models are. Throws Error:
// io for a file that can't be read, model for one that is damaged or does not fit the base, usage
// for a label that there is not (what there is is said).
HeadFile import_safetensors(const SafetensorsHead& from, const Model& base);

}  // namespace tq::app
