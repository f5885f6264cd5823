#include "transferq/engine/llama/adapter.hpp"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/control_file.hpp"

namespace tq::llama {
namespace {

void apply_control_vector(const LoadedModel& model, const std::string& path, double scale,
                          llama_context* context) {
  const ControlFile control = read_control(path);
  const auto width = static_cast<std::size_t>(llama_model_n_embd(model.get()));
  const auto layers = static_cast<std::size_t>(llama_model_n_layer(model.get()));
  std::vector<float> data(width * layers, 0.0f);  // from layer 1 on
  for (const auto& [layer, values] : control.directions) {
    if (static_cast<std::size_t>(layer) >= layers || values.size() != width) {
      throw Error(ErrorKind::model,
                  fmt::format("{} is not a control vector for {}: its tensor 'direction.{}' of {} "
                              "numbers does not fit a model of {} layers and width {}",
                              path, model.name(), layer, values.size(), layers, width));
    }
    float* row = data.data() + width * static_cast<std::size_t>(layer - 1);
    for (std::size_t j = 0; j < width; ++j) row[j] = static_cast<float>(scale) * values[j];
  }
  if (llama_set_adapter_cvec(context, data.data(), data.size(), static_cast<std::int32_t>(width), 1,
                             static_cast<std::int32_t>(layers)) != 0) {
    throw Error(ErrorKind::model,
                fmt::format("{} holds no control vector that {} can use", path, model.name()));
  }
}

}  // namespace

void apply_adapter(const LoadedModel& model, const Adapter& adapter, llama_context* context) {
  if (!adapter.lora.empty()) {
    std::array<llama_adapter_lora*, 1> loras{model.lora(adapter.lora)};
    std::array<float, 1> scales{static_cast<float>(adapter.lora_scale)};
    if (llama_set_adapters_lora(context, loras.data(), loras.size(), scales.data()) != 0) {
      throw Error(ErrorKind::model,
                  fmt::format("the LoRA adapter {} does not fit {}", adapter.lora, model.name()));
    }
  }
  if (!adapter.control_vector.empty()) {
    apply_control_vector(model, adapter.control_vector, adapter.control_scale, context);
  }
}

}  // namespace tq::llama
