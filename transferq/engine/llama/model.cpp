#include "transferq/engine/llama/model.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <mutex>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/engine/llama/file_identity.hpp"
#include "transferq/engine/llama/gguf_file.hpp"
#include "transferq/engine/llama/load.hpp"
#include "transferq/engine/llama/loaded_model.hpp"
#include "transferq/engine/llama/runtime.hpp"
#include "transferq/engine/llama/session.hpp"

namespace tq::llama {
namespace {

// Whether the vocabulary has a special token written so.
bool has_special(const llama_vocab* vocab, std::string_view text) {
  llama_token token = 0;
  return llama_tokenize(vocab, text.data(), static_cast<std::int32_t>(text.size()), &token, 1,
                        false, true) == 1 &&
         llama_vocab_is_control(vocab, token);
}

// The template of the file. Gemma's base models come without one, but their vocabulary has the
// turns of Gemma's only one as tokens.
const char* chat_template(const llama_model* model) {
  const char* own = llama_model_chat_template(model, nullptr);
  if (own != nullptr) return own;
  const llama_vocab* vocab = llama_model_get_vocab(model);
  const bool gemma = has_special(vocab, "<start_of_turn>") && has_special(vocab, "<end_of_turn>");
  return gemma ? "gemma" : nullptr;
}

std::string vocabulary_digest(const llama_vocab* vocab) {
  Sha256 digest;
  for (llama_token t = 0; t < llama_vocab_n_tokens(vocab); ++t) {
    digest.update(llama_vocab_get_text(vocab, t));
    digest.update({"\0", 1});
  }
  return digest.hex();
}

// An encoder says in its metadata that its attention is not causal.
void refuse_encoder(const std::filesystem::path& path) {
  const GgufFile header = GgufFile::open(path, ErrorKind::model);
  const std::string arch = header.text("general.architecture").value_or("");
  if (header.flag((arch + ".attention.causal").c_str()).value_or(arch != "bert")) return;
  throw Error(
      ErrorKind::model,
      fmt::format("{} is no causal model ({}): an encoder ranks or embeds texts (rank=FILE, "
                  "similar=TEXT in a reward) and can't write any; give a decoder-only "
                  "transformer",
                  path.string(), arch));
}

}  // namespace

LoadedModel::LoadedModel(std::filesystem::path path, llama_model* model)
    : path_(std::move(path)),
      model_(model),
      vocab_(llama_model_get_vocab(model)),
      identity_(file_identity(path_)),
      vocabulary_identity_(vocabulary_digest(vocab_)) {}

LoadedModel::~LoadedModel() = default;

std::string LoadedModel::name() const { return path_.filename().string(); }
std::size_t LoadedModel::vocabulary() const {
  return static_cast<std::size_t>(llama_vocab_n_tokens(vocab_));
}
std::size_t LoadedModel::hidden_size() const {
  return static_cast<std::size_t>(llama_model_n_embd_out(model_.get()));
}
std::size_t LoadedModel::context() const {
  return static_cast<std::size_t>(llama_model_n_ctx_train(model_.get()));
}
bool LoadedModel::is_end(Token token) const { return llama_vocab_is_eog(vocab_, token); }

Token LoadedModel::end() const {
  const llama_token turn = llama_vocab_eot(vocab_);
  return turn != LLAMA_TOKEN_NULL ? turn : llama_vocab_eos(vocab_);
}

std::vector<Token> LoadedModel::tokenize(std::string_view text, bool special) const {
  return llama::tokenize(vocab_, text, special, special);
}

std::string LoadedModel::piece(Token token, bool special) const {
  std::string out(32, '\0');
  const auto run = [&] {
    return llama_token_to_piece(vocab_, token, out.data(), static_cast<std::int32_t>(out.size()), 0,
                                special);
  };
  std::int32_t size = run();
  if (size < 0) {
    out.resize(static_cast<std::size_t>(-size));
    size = run();
  }
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::string LoadedModel::apply_chat_template(std::span<const Message> messages) const {
  const char* chat = chat_template(model_.get());
  if (chat == nullptr) {
    throw Error(ErrorKind::model, fmt::format("{} has no chat template; use --format raw", name()));
  }
  std::vector<llama_chat_message> list;
  std::size_t size = 256;
  for (const Message& m : messages) {
    if (m.content.find('\0') != std::string::npos) {  // llama.cpp would take it for the end
      throw Error(ErrorKind::input,
                  fmt::format("a {} message holds a NUL character, which the chat "
                              "template can't; take it out",
                              m.role));
    }
    list.push_back({m.role.c_str(), m.content.c_str()});
    size += 2 * (m.role.size() + m.content.size());
  }
  std::string out(size, '\0');
  const auto run = [&] {
    return llama_chat_apply_template(chat, list.data(), list.size(), true, out.data(),
                                     static_cast<std::int32_t>(out.size()));
  };
  std::int32_t written = run();
  if (written > static_cast<std::int32_t>(out.size())) {
    out.resize(static_cast<std::size_t>(written));
    written = run();
  }
  if (written < 0) {
    throw Error(ErrorKind::model,
                fmt::format("the chat template of {} is not one the engine knows; write the prompt "
                            "in the model's own form and use --format raw",
                            name()));
  }
  out.resize(static_cast<std::size_t>(written));
  return out;
}

std::unique_ptr<Session> LoadedModel::open_session(const SessionOptions& options) const {
  return std::make_unique<LlamaSession>(shared_from_this(), options);
}

llama_adapter_lora* LoadedModel::lora(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  llama_adapter_lora*& adapter = loras_[path];
  if (adapter == nullptr) {
    clear_log();
    adapter = llama_adapter_lora_init(model_.get(), path.c_str());  // freed with the model
    if (adapter == nullptr) {
      throw Error(ErrorKind::model,
                  fmt::format("can't load the LoRA adapter {} for {}: {}", path, name(),
                              std::filesystem::exists(path) ? last_error() : "no such file"));
    }
  }
  return adapter;
}

std::shared_ptr<const Model> load_model(const std::filesystem::path& path,
                                        const LoadOptions& options) {
  ensure_started();
  if (!std::filesystem::is_regular_file(path)) {
    throw Error(ErrorKind::model,
                fmt::format("no model file {}; give a GGUF file or a name that `tq models` lists",
                            path.string()));
  }
  refuse_encoder(path);
  llama_model* model = load_weights(path, options);
  auto loaded = std::make_shared<LoadedModel>(path, model);
  if (llama_model_is_recurrent(model) || llama_model_is_hybrid(model) ||
      llama_model_has_encoder(model)) {
    throw Error(ErrorKind::model,
                fmt::format("{} is a recurrent or encoder model: its state can't be forked, which "
                            "decoding with roll-outs needs; use a decoder-only transformer",
                            path.string()));
  }
  return loaded;
}

std::string engine_version() { return fmt::format("llama.cpp {}", llama_version()); }

}  // namespace tq::llama
