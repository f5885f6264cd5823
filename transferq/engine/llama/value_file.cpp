#include "transferq/engine/llama/value_file.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/gguf_file.hpp"
#include "transferq/engine/llama/gguf_writer.hpp"

namespace tq {
namespace {

constexpr const char* kArchitecture = "transferq-value";
constexpr int kVersion = 1;

// The fields under transferq.value.*, for reading and writing alike.
constexpr std::array<std::pair<const char*, std::string ValueFile::*>, 6> kTexts{{
    {"transferq.value.name", &ValueFile::name},
    {"transferq.value.base.name", &ValueFile::base_name},
    {"transferq.value.base.identity", &ValueFile::base_identity},
    {"transferq.value.reward", &ValueFile::reward},
    {"transferq.value.reward.identity", &ValueFile::reward_identity},
    {"transferq.value.provenance", &ValueFile::provenance},
}};
constexpr std::array<std::pair<const char*, std::string ValueTraining::*>, 3> kTrainingTexts{{
    {"transferq.value.policy", &ValueTraining::policy},
    {"transferq.value.data", &ValueTraining::data},
    {"transferq.value.program", &ValueTraining::program},
}};
constexpr std::array<std::pair<const char*, std::uint64_t ValueTraining::*>, 3> kCounts{{
    {"transferq.value.seed", &ValueTraining::seed},
    {"transferq.value.fitted", &ValueTraining::fitted},
    {"transferq.value.held_out", &ValueTraining::held_out},
}};
constexpr std::array<std::pair<const char*, double ValueTraining::*>, 5> kNumbers{{
    {"transferq.value.l2", &ValueTraining::l2},
    {"transferq.value.correlation", &ValueTraining::correlation},
    {"transferq.value.gain", &ValueTraining::gain},
    {"transferq.value.gain.one_step", &ValueTraining::gain_one_step},
    {"transferq.value.gain.best", &ValueTraining::gain_best},
}};

void add_vector(llama::GgufWriter& file, const char* name, const std::vector<float>& values) {
  file.add(name, static_cast<int>(values.size()), 0,
           [&](int, int column) { return values[static_cast<std::size_t>(column)]; });
}

}  // namespace

ValueFile read_value(const std::filesystem::path& path) {
  const auto file = llama::GgufFile::open(path, ErrorKind::model, true);
  const auto refuse = [&](std::string_view why) {
    return Error(ErrorKind::model, fmt::format("{} is no learned value that this version reads: "
                                               "{}; make one with `tq fit --value`",
                                               path.string(), why));
  };
  const auto take = [&](auto& to, const auto& found, const char* key) {
    if (!found) throw refuse(fmt::format("it lacks {}", key));
    to = *found;
  };
  if (file.text("general.architecture") != kArchitecture) throw refuse("it is another GGUF file");
  if (file.number("transferq.value.version") != kVersion) throw refuse("its version is another");
  ValueFile value;
  for (const auto& [key, field] : kTexts) take(value.*field, file.text(key), key);
  for (const auto& [key, field] : kTrainingTexts) take(value.training.*field, file.text(key), key);
  for (const auto& [key, field] : kCounts) take(value.training.*field, file.whole(key), key);
  for (const auto& [key, field] : kNumbers) take(value.training.*field, file.number(key), key);
  take(value.bias, file.number("transferq.value.bias"), "transferq.value.bias");
  take(value.weights, file.values("value.weight"), "value.weight");
  if (file.has_tensor("value.levels")) {
    take(value.levels, file.values("value.levels"), "value.levels");
    take(value.level_biases, file.values("value.levels.bias"), "value.levels.bias");
    take(value.level_weights, file.values("value.levels.weight"), "value.levels.weight");
    if (value.level_biases.size() != value.levels.size() ||
        value.level_weights.size() != value.levels.size() * value.weights.size()) {
      throw refuse("its levels do not fit its weights");
    }
  }
  return value;
}

void write_value(const std::filesystem::path& path, const ValueFile& value) {
  llama::GgufWriter file;
  file.set("general.architecture", kArchitecture);
  file.set("transferq.value.version", kVersion);
  for (const auto& [key, field] : kTexts) file.set(key, (value.*field).c_str());
  for (const auto& [key, field] : kTrainingTexts) file.set(key, (value.training.*field).c_str());
  for (const auto& [key, field] : kCounts) file.set(key, value.training.*field);
  for (const auto& [key, field] : kNumbers) file.set(key, value.training.*field);
  file.set("transferq.value.bias", value.bias);
  add_vector(file, "value.weight", value.weights);
  if (!value.levels.empty()) {
    add_vector(file, "value.levels", value.levels);
    add_vector(file, "value.levels.bias", value.level_biases);
    const int columns = static_cast<int>(value.weights.size());
    file.add("value.levels.weight", columns, static_cast<int>(value.levels.size()),
             [&](int row, int column) {
               return value.level_weights[static_cast<std::size_t>(row * columns + column)];
             });
  }
  file.write(path);
}

}  // namespace tq
