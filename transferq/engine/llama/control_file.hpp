// A control vector in llama.cpp's GGUF format: for some layers a direction that is added, times a
// scale, to what the layer hands on. llama.cpp's own tools and other programs read and write it.
//
// Keys: general.architecture = "controlvector"; controlvector.{model_hint, layer_count}; where
// `tq control` made it, transferq.control.{base.name, base.identity, method, pooling, provenance,
// data, program, pairs}; tensors direction.N, F32 [width], for layers N >= 1 (the format has no
// layer 0).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tq {

// How `tq control` made a control vector, so that it can be made again.
struct ControlOrigin {
  std::string base_name;      // the model file it was made with
  std::string base_identity;  // Model::identity() of it
  std::string method;         // "mean" or "pca"
  std::string pooling;        // "last" or "mean"
  std::string provenance;     // the contrast, in words
  std::string data;           // SHA-256 of all texts that were read
  std::string program;        // the version that made it
  std::uint64_t pairs = 0;
};

struct ControlFile {
  std::string model_hint;                        // the model's architecture, e.g. "llama"
  std::map<int, std::vector<float>> directions;  // by layer, all of one width
  std::optional<ControlOrigin> origin;
};

// Throws Error (model) when the file is no control vector.
ControlFile read_control(const std::filesystem::path& path);

// Throws Error: io when the file can't be written, usage for no directions or a layer below 1.
void write_control(const std::filesystem::path& path, const ControlFile& control);

}  // namespace tq
