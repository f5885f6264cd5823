#include "transferq/engine/llama/load.hpp"

#include <fmt/format.h>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/runtime.hpp"

namespace tq::llama {

llama_model* load_weights(const std::filesystem::path& path, const LoadOptions& options) {
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = options.gpu_layers;
  clear_log();
  llama_model* model = llama_model_load_from_file(path.c_str(), params);
  if (model != nullptr) return model;
  throw Error(ErrorKind::model, fmt::format("can't load {}: {}; check that the GGUF file is whole",
                                            path.string(), last_error()));
}

std::vector<Token> tokenize(const llama_vocab* vocab, std::string_view text, bool add, bool parse) {
  std::vector<Token> out(text.size() + 8);
  const auto run = [&] {
    return llama_tokenize(vocab, text.data(), static_cast<std::int32_t>(text.size()), out.data(),
                          static_cast<std::int32_t>(out.size()), add, parse);
  };
  std::int32_t count = run();
  if (count < 0) {
    out.resize(static_cast<std::size_t>(-count));
    count = run();
  }
  out.resize(static_cast<std::size_t>(count));
  return out;
}

}  // namespace tq::llama
