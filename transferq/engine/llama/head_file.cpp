#include "transferq/engine/llama/head_file.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/gguf_file.hpp"
#include "transferq/engine/llama/gguf_writer.hpp"

namespace tq {
namespace {

constexpr const char* kArchitecture = "transferq-head";
constexpr int kVersion = 1;

// The text fields, under transferq.head.*, for reading and writing alike.
constexpr std::array<std::pair<const char*, std::string HeadFile::*>, 6> kTexts{{
    {"transferq.head.name", &HeadFile::name},
    {"transferq.head.base.name", &HeadFile::base_name},
    {"transferq.head.base.identity", &HeadFile::base_identity},
    {"transferq.head.text", &HeadFile::text},
    {"transferq.head.pooling", &HeadFile::pooling},
    {"transferq.head.provenance", &HeadFile::provenance},
}};

// What is known of the training, likewise.
constexpr std::array<std::pair<const char*, std::string HeadTraining::*>, 4> kTrainingTexts{{
    {"transferq.head.training.format", &HeadTraining::format},
    {"transferq.head.training.loss", &HeadTraining::loss},
    {"transferq.head.training.data", &HeadTraining::data},
    {"transferq.head.training.program", &HeadTraining::program},
}};
constexpr std::array<std::pair<const char*, std::uint64_t HeadTraining::*>, 3> kTrainingCounts{{
    {"transferq.head.training.seed", &HeadTraining::seed},
    {"transferq.head.training.fitted", &HeadTraining::fitted},
    {"transferq.head.training.held_out", &HeadTraining::held_out},
}};
constexpr std::array<std::pair<const char*, double HeadTraining::*>, 4> kTrainingNumbers{{
    {"transferq.head.training.l2", &HeadTraining::l2},
    {"transferq.head.training.accuracy", &HeadTraining::accuracy},
    {"transferq.head.training.accuracy.low", &HeadTraining::accuracy_low},
    {"transferq.head.training.accuracy.high", &HeadTraining::accuracy_high},
}};

// The training where all of it is there.
std::optional<HeadTraining> read_training(const llama::GgufFile& file) {
  HeadTraining training;
  const auto read = [](auto& to, const auto& value) {
    if (value) to = *value;
    return value.has_value();
  };
  bool all = true;
  for (const auto& [key, field] : kTrainingTexts) all &= read(training.*field, file.text(key));
  for (const auto& [key, field] : kTrainingCounts) all &= read(training.*field, file.whole(key));
  for (const auto& [key, field] : kTrainingNumbers) all &= read(training.*field, file.number(key));
  if (!all) return std::nullopt;
  return training;
}

}  // namespace

HeadFile read_head(const std::filesystem::path& path) {
  const auto file = llama::GgufFile::open(path, ErrorKind::model, true);
  const auto refuse = [&](std::string_view why) {
    return Error(ErrorKind::model, fmt::format("{} is not a reward head that this version reads: "
                                               "{}; make one with `tq fit`",
                                               path.string(), why));
  };
  if (file.text("general.architecture") != kArchitecture) throw refuse("it is another GGUF file");
  if (file.number("transferq.head.version") != kVersion) throw refuse("its version is another");
  HeadFile head;
  for (const auto& [key, field] : kTexts) {
    const auto text = file.text(key);
    if (!text) throw refuse(fmt::format("it lacks {}", key));
    head.*field = *text;
  }
  const auto weights = file.values("head.weight");
  const auto bias = file.number("transferq.head.bias");
  if (!weights || !bias) throw refuse("it lacks its weights");
  head.weights = *weights;
  head.bias = *bias;
  const auto mean = file.number("transferq.head.calibration.mean");
  const auto spread = file.number("transferq.head.calibration.spread");
  if (mean && spread) {
    head.calibration = Calibration{*mean, *spread, file.number("transferq.head.calibration.low"),
                                   file.number("transferq.head.calibration.high")};
  }
  head.training = read_training(file);
  return head;
}

void write_head(const std::filesystem::path& path, const HeadFile& head) {
  llama::GgufWriter file;
  file.set("general.architecture", kArchitecture);
  file.set("transferq.head.version", kVersion);
  for (const auto& [key, field] : kTexts) file.set(key, (head.*field).c_str());
  file.set("transferq.head.bias", static_cast<float>(head.bias));
  if (head.calibration) {
    file.set("transferq.head.calibration.mean", static_cast<float>(head.calibration->mean));
    file.set("transferq.head.calibration.spread", static_cast<float>(head.calibration->spread));
    const auto& [mean, spread, low, high] = *head.calibration;
    if (low) file.set("transferq.head.calibration.low", static_cast<float>(*low));
    if (high) file.set("transferq.head.calibration.high", static_cast<float>(*high));
  }
  if (head.training) {
    const HeadTraining& training = *head.training;
    for (const auto& [key, field] : kTrainingTexts) file.set(key, (training.*field).c_str());
    for (const auto& [key, field] : kTrainingCounts) file.set(key, training.*field);
    for (const auto& [key, field] : kTrainingNumbers) file.set(key, training.*field);
  }
  file.add("head.weight", static_cast<int>(head.weights.size()), 0,
           [&](int, int column) { return head.weights[static_cast<std::size_t>(column)]; });
  file.write(path);
}

}  // namespace tq
