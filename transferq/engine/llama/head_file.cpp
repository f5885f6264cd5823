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
  if (mean && spread) head.calibration = Calibration{*mean, *spread};
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
  }
  file.add("head.weight", static_cast<int>(head.weights.size()), 0,
           [&](int, int column) { return head.weights[static_cast<std::size_t>(column)]; });
  file.write(path);
}

}  // namespace tq
