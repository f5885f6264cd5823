#include "transferq/engine/llama/encoder.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <optional>
#include <string_view>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/encoder_session.hpp"
#include "transferq/engine/llama/file_identity.hpp"
#include "transferq/engine/llama/gguf_file.hpp"
#include "transferq/engine/llama/load.hpp"
#include "transferq/engine/llama/loaded_encoder.hpp"
#include "transferq/engine/llama/pooling.hpp"
#include "transferq/engine/llama/runtime.hpp"

namespace tq::llama {
namespace {

Error refusal(const std::filesystem::path& path, std::string_view why) {
  return {ErrorKind::model, fmt::format("{} {}", path.string(), why)};
}

// What the header says of pooling, with the refusals that need no weights.
struct Head {
  Pooling pooling;
  bool probabilities;
};

Head read_head(const std::filesystem::path& path, const GgufFile& header) {
  const std::string arch = header.text("general.architecture").value_or("");
  const double number = header.number((arch + ".pooling_type").c_str()).value_or(0.0);
  const std::optional<Pooling> pooling = pooling_of(static_cast<int>(number));
  if (!pooling) {
    throw refusal(path, fmt::format("has no pooling ({}.pooling_type in its metadata), so it is a "
                                    "plain language model; give an embedding or rerank model",
                                    arch));
  }
  if (*pooling != Pooling::rank) return {*pooling, false};
  // JinaBERT's head is one layer under the other's name.
  const char* tensor = arch == "jina-bert-v2" ? "cls.weight" : "cls.output.weight";
  if (!header.has_tensor(tensor)) {
    throw refusal(path, fmt::format("says that it ranks but has no classifier ({}); convert it "
                                    "again from a sequence-classification model",
                                    tensor));
  }
  // Qwen3's rank head ends in a softmax over its labels.
  const bool softmax = arch == "qwen3" || arch == "qwen3vl";
  const std::size_t labels = header.length((arch + ".classifier.output_labels").c_str());
  if (softmax && labels < 2) {
    throw refusal(
        path,
        "has a rank head of one label under a softmax, which scores every text 1; convert "
        "it with both of its labels, or use it as a judge instead");
  }
  return {Pooling::rank, softmax};
}

}  // namespace

LoadedEncoder::LoadedEncoder(std::filesystem::path path, llama_model* model, Pooling pooling,
                             bool probabilities)
    : path_(std::move(path)),
      model_(model),
      identity_(file_identity(path_)),
      pooling_(pooling),
      probabilities_(probabilities) {}

std::size_t LoadedEncoder::dimensions() const {
  return static_cast<std::size_t>(llama_model_n_embd_out(model_.get()));
}

std::size_t LoadedEncoder::longest() const {
  return static_cast<std::size_t>(llama_model_n_ctx_train(model_.get()));
}

std::vector<std::string> LoadedEncoder::labels() const {
  std::vector<std::string> out;
  if (pooling_ != Pooling::rank) return out;
  for (std::uint32_t i = 0; i < llama_model_n_cls_out(model_.get()); ++i) {
    const char* label = llama_model_cls_label(model_.get(), i);
    out.emplace_back(label == nullptr ? "" : label);
  }
  return out;
}

std::unique_ptr<EncoderSession> LoadedEncoder::open_session(int threads) const {
  return std::make_unique<LlamaEncoderSession>(shared_from_this(), threads);
}

std::shared_ptr<const Encoder> load_encoder(const std::filesystem::path& path,
                                            const LoadOptions& options) {
  ensure_started();
  const Head head = read_head(path, GgufFile::open(path, ErrorKind::model));
  llama_model* model = load_weights(path, options);
  auto loaded = std::make_shared<LoadedEncoder>(path, model, head.pooling, head.probabilities);
  if (llama_model_has_encoder(model) && llama_model_has_decoder(model)) {
    throw refusal(path, "is an encoder-decoder, whose encoder can't be used alone");
  }
  const char* shape = llama_model_chat_template(model, "rerank");
  const std::string_view text = shape == nullptr ? "{query}{document}" : shape;
  if (head.pooling == Pooling::rank && (text.find("{query}") == std::string_view::npos ||
                                        text.find("{document}") == std::string_view::npos)) {
    throw refusal(path, "has a rerank template without {query} or {document}");
  }
  return loaded;
}

}  // namespace tq::llama
