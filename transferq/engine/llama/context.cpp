#include "transferq/engine/llama/context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/adapter.hpp"
#include "transferq/engine/llama/runtime.hpp"

namespace tq::llama {
namespace {

// llama.cpp rounds the memory up to this many cells anyway.
constexpr std::size_t kCellBlock = 256;

llama_flash_attn_type flash_attention(Flash flash) {
  if (flash == Flash::on) return LLAMA_FLASH_ATTN_TYPE_ENABLED;
  return flash == Flash::automatic && llama_supports_gpu_offload() ? LLAMA_FLASH_ATTN_TYPE_AUTO
                                                                   : LLAMA_FLASH_ATTN_TYPE_DISABLED;
}

}  // namespace

Context open_context(const LoadedModel& model, const SessionOptions& options,
                     const ContextSize& size, const ContextCallbacks& callbacks) {
  // More threads than cores would wait for each other, spinning.
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const int threads = options.threads > 0 ? std::min(options.threads, cores) : cores;
  const ggml_type cache = options.cache == CacheType::f32 ? GGML_TYPE_F32 : GGML_TYPE_F16;

  llama_context_params params = llama_context_default_params();
  params.n_ctx =
      static_cast<std::uint32_t>((size.cells + kCellBlock - 1) / kCellBlock * kCellBlock);
  params.n_batch = kBatch;
  params.n_ubatch =
      static_cast<std::uint32_t>(std::clamp<std::size_t>(options.micro_batch, 1, kBatch));
  params.n_seq_max = static_cast<std::uint32_t>(size.branches);
  params.n_outputs_max = static_cast<std::uint32_t>(size.outputs);
  params.n_threads = params.n_threads_batch = threads;
  params.kv_unified = true;
  params.swa_full = true;  // a window that forgot its past could not be truncated or forked
  params.type_k = params.type_v = cache;
  params.no_perf = true;
  // On the CPU, a shared prefix is one matrix product for all branches only without flash
  // attention.
  params.flash_attn_type = flash_attention(options.flash);
  params.cb_eval = callbacks.on_tensor;
  params.cb_eval_user_data = callbacks.self;
  params.abort_callback = callbacks.on_abort;
  params.abort_callback_data = callbacks.self;
  clear_log();
  Context context(llama_init_from_model(model.get(), params));
  if (context == nullptr) {
    throw Error(ErrorKind::capacity,
                fmt::format("no memory for a context of {} cells on {}: {}; lower --context",
                            size.cells, model.name(), last_error()));
  }
  apply_adapter(model, options.adapter, context.get());
  return context;
}

}  // namespace tq::llama
