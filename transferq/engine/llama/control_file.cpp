#include "transferq/engine/llama/control_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/gguf_file.hpp"
#include "transferq/engine/llama/gguf_writer.hpp"

namespace tq {
namespace {

constexpr const char* kHint = "controlvector.model_hint";
constexpr const char* kPairs = "transferq.control.pairs";

// What is known of a vector's making, for reading and writing alike.
constexpr std::array<std::pair<const char*, std::string ControlOrigin::*>, 7> kTexts{{
    {"transferq.control.base.name", &ControlOrigin::base_name},
    {"transferq.control.base.identity", &ControlOrigin::base_identity},
    {"transferq.control.method", &ControlOrigin::method},
    {"transferq.control.pooling", &ControlOrigin::pooling},
    {"transferq.control.provenance", &ControlOrigin::provenance},
    {"transferq.control.data", &ControlOrigin::data},
    {"transferq.control.program", &ControlOrigin::program},
}};

// The layer of a tensor named direction.N, or 0.
int layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "direction.";
  int layer = 0;
  if (name.substr(0, kPrefix.size()) == kPrefix) {
    const char* end = name.data() + name.size();
    const auto [at, error] = std::from_chars(name.data() + kPrefix.size(), end, layer);
    if (error != std::errc() || at != end) return 0;
  }
  return layer;
}

// The origin where all of it is there.
std::optional<ControlOrigin> read_origin(const llama::GgufFile& file) {
  ControlOrigin origin;
  for (const auto& [key, field] : kTexts) {
    const auto text = file.text(key);
    if (!text) return std::nullopt;
    origin.*field = *text;
  }
  const auto pairs = file.whole(kPairs);
  if (!pairs) return std::nullopt;
  origin.pairs = *pairs;
  return origin;
}

}  // namespace

ControlFile read_control(const std::filesystem::path& path) {
  const auto file = llama::GgufFile::open(path, ErrorKind::model, true);
  const auto refuse = [&](std::string_view why) {
    return Error(ErrorKind::model, fmt::format("{} is not a control vector: {}; make one with "
                                               "`tq control`",
                                               path.string(), why));
  };
  ControlFile control;
  control.model_hint = file.text(kHint).value_or("");
  const auto count = gguf_get_n_tensors(file.get());
  for (std::int64_t i = 0; i < count; ++i) {
    const char* name = gguf_get_tensor_name(file.get(), i);
    const int layer = layer_of(name);
    auto values = file.values(name);
    if (layer < 1 || !values) {
      throw refuse(fmt::format("its tensor '{}' is no direction.N of 32-bit numbers", name));
    }
    if (!std::all_of(values->begin(), values->end(), [](float x) { return std::isfinite(x); })) {
      throw refuse(fmt::format("its tensor '{}' holds numbers that are not finite", name));
    }
    if (!control.directions.emplace(layer, std::move(*values)).second) {
      throw refuse(fmt::format("it has two directions for layer {}", layer));
    }
  }
  if (count == 0) throw refuse("it holds no directions");
  control.origin = read_origin(file);
  return control;
}

void write_control(const std::filesystem::path& path, const ControlFile& control) {
  if (control.directions.empty() || control.directions.begin()->first < 1) {
    throw Error(ErrorKind::usage, "a control vector needs directions for layers from 1 on");
  }
  llama::GgufWriter file;
  file.set("general.architecture", "controlvector");
  file.set(kHint, control.model_hint.c_str());
  file.set("controlvector.layer_count", static_cast<int>(control.directions.size()));
  if (control.origin) {
    for (const auto& [key, field] : kTexts) file.set(key, ((*control.origin).*field).c_str());
    file.set(kPairs, control.origin->pairs);
  }
  for (const auto& [layer, values] : control.directions) {
    file.add(fmt::format("direction.{}", layer), static_cast<int>(values.size()), 0,
             [&row = values](int, int column) { return row[static_cast<std::size_t>(column)]; });
  }
  file.write(path);
}

}  // namespace tq
