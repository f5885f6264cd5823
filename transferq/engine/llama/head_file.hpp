// A reward head in a small GGUF file of our own: a linear map on a model's last hidden state. It
// belongs to one model file (the identity decides): even another quantisation moves its rewards.
//
// Keys: general.architecture = "transferq-head"; transferq.head.{version, name, base.name,
// base.identity, text, pooling, provenance, bias} and, where it was measured,
// transferq.head.calibration.{mean, spread, low, high}; where `tq fit` made it,
// transferq.head.training.{format, loss, data, program, l2, seed, fitted, held_out, accuracy,
// accuracy.low, accuracy.high}; tensor head.weight, F32 [hidden size], or a multiple of it
// where several positions are read side by side.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tq {

struct Calibration {
  double mean = 0;    // of the reward on a calibration set
  double spread = 1;  // its standard deviation there
  // The least and the greatest reward there, where they were written down.
  std::optional<double> low{}, high{};
};

// How `tq fit` made a head, so that it can be made again and judged.
struct HeadTraining {
  std::string format;   // of the prompts: "chat" or "raw"
  std::string loss;     // "pairwise" or "logistic"
  std::string data;     // SHA-256 of all examples that were used, and their labels
  std::string program;  // the version that fitted it
  double l2 = 0;
  std::uint64_t seed = 0;
  std::uint64_t fitted = 0;    // examples it was fitted on
  std::uint64_t held_out = 0;  // examples its accuracy and calibration were measured on
  double accuracy = 0, accuracy_low = 0, accuracy_high = 0;  // with its 95% interval
};

struct HeadFile {
  std::string name;           // what it rewards, e.g. "sentiment"
  std::string base_name;      // the model file it was fitted on, for messages
  std::string base_identity;  // Model::identity() of it
  std::string text;           // what it reads: "conversation" (prompt and response) or "response"
  std::string pooling;        // which positions: "last", "mean", ... (reward/features.hpp)
  std::string provenance;     // how it was made
  std::vector<float> weights;
  double bias = 0;
  std::optional<Calibration> calibration;
  std::optional<HeadTraining> training;
};

// Throws Error (model) when the file is not a head this version reads.
HeadFile read_head(const std::filesystem::path& path);

// Throws Error (io) when the file can't be written.
void write_head(const std::filesystem::path& path, const HeadFile& head);

}  // namespace tq
