// Opens a llama.cpp context as this folder's evaluations want it: one unified memory whose branches
// can be forked, adapters put on, callbacks set. Private to this folder. Thread-safe.
#pragma once

#include <llama.h>

#include <cstddef>
#include <memory>

#include "transferq/engine/llama/loaded_model.hpp"

namespace tq::llama {

struct FreeContext {
  void operator()(llama_context* context) const { llama_free(context); }
};
using Context = std::unique_ptr<llama_context, FreeContext>;

// Tokens in one evaluation. The compute buffers grow with it; prefill gains little beyond.
inline constexpr std::size_t kBatch = kMicroBatch;

// How large a context is.
struct ContextSize {
  std::size_t cells;     // tokens
  std::size_t branches;  // sequences
  std::size_t outputs;   // tokens of an evaluation that return something
};

// What llama.cpp calls on the way of an evaluation, with `self`.
struct ContextCallbacks {
  ggml_backend_sched_eval_callback on_tensor;
  ggml_abort_callback on_abort;
  void* self;
};

// Of the options, threads, cache, flash, micro-batch and adapter count. Throws Error: capacity
// where the memory does not suffice, model for an adapter that does not fit.
Context open_context(const LoadedModel& model, const SessionOptions& options,
                     const ContextSize& size, const ContextCallbacks& callbacks);

}  // namespace tq::llama
