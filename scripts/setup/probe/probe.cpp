// Decodes one token of the model given and checks its logits.
// Exit status: 0 it works, 1 something cannot be loaded, 2 the logits are no numbers.
#include <llama.h>

#include <cmath>
#include <cstdio>

// What transferq calls: an older or newer llama.cpp that lacks one of these does not compile here.
[[maybe_unused]] const auto needed_calls = [] {
  (void)&llama_memory_seq_cp;
  (void)&llama_memory_seq_rm;
  (void)&llama_supports_gpu_offload;
  (void)&llama_model_n_embd_out;
  (void)&llama_model_is_hybrid;
  (void)&llama_set_adapters_lora;
  (void)&llama_set_adapter_cvec;
  (void)&llama_model_quantize;
  (void)&llama_chat_apply_template;
  return 0;
}();

int main(int argc, char** argv) {
  if (argc != 2) {
    return 1;
  }
  llama_backend_init();
  llama_model* model = llama_model_load_from_file(argv[1], llama_model_default_params());
  if (model == nullptr) {
    std::fprintf(stderr, "probe: cannot load %s\n", argv[1]);
    return 1;
  }
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 64;
  params.n_seq_max = 2;
  params.n_outputs_max = 2;
  params.kv_unified = true;
  params.swa_full = true;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  llama_context* context = llama_init_from_model(model, params);
  if (context == nullptr) {
    return 1;
  }
  // A prompt of several tokens and then one more: matrix and vector products take different code.
  llama_token tokens[] = {1, 2, 3, 4, 5, 6, 7, 8};
  if (llama_decode(context, llama_batch_get_one(tokens, 8)) != 0 ||
      llama_decode(context, llama_batch_get_one(tokens, 1)) != 0) {
    return 1;
  }
  const float* logits = llama_get_logits_ith(context, -1);
  const int size = llama_vocab_n_tokens(llama_model_get_vocab(model));
  for (int i = 0; i < size; ++i) {
    if (!std::isfinite(logits[i])) {
      return 2;
    }
  }
  std::printf("llama.cpp %s decodes\n", llama_version());
  llama_free(context);
  llama_model_free(model);
  return 0;
}
