// A reward head in a small GGUF file of our own: a linear map on a model's last hidden state. It
// belongs to one model file (the identity decides): even another quantisation moves its rewards.
//
// Keys: general.architecture = "transferq-head"; transferq.head.{version, name, base.name,
// base.identity, text, pooling, provenance, bias} and, where it was measured,
// transferq.head.calibration.{mean, spread}; tensor head.weight, F32 [hidden size].
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tq {

struct Calibration {
  double mean = 0;    // of the reward on a calibration set
  double spread = 1;  // its standard deviation there
};

struct HeadFile {
  std::string name;           // what it rewards, e.g. "sentiment"
  std::string base_name;      // the model file it was fitted on, for messages
  std::string base_identity;  // Model::identity() of it
  std::string text;           // what it reads: "conversation" (prompt and response) or "response"
  std::string pooling;        // which positions: "last"
  std::string provenance;     // how it was made
  std::vector<float> weights;
  double bias = 0;
  std::optional<Calibration> calibration;
};

// Throws Error (model) when the file is not a head this version reads.
HeadFile read_head(const std::filesystem::path& path);

// Throws Error (io) when the file can't be written.
void write_head(const std::filesystem::path& path, const HeadFile& head);

}  // namespace tq
