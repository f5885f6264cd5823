// Puts an adapter (LoRA, control vector) on a llama.cpp context. Private to this folder.
#pragma once

#include "transferq/engine/llama/loaded_model.hpp"

namespace tq::llama {

// Throws Error (model) when a file can't be read or does not fit the model.
void apply_adapter(const LoadedModel& model, const Adapter& adapter, llama_context* context);

}  // namespace tq::llama
