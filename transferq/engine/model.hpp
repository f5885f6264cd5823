// The engine port, part two: a model has a vocabulary, a tokenizer, a chat template, and opens
// sessions. A model is immutable and safe to use from many threads at once.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "transferq/core/token.hpp"
#include "transferq/engine/session.hpp"

namespace tq {

struct Message {
  std::string role;  // system, user or assistant
  std::string content;
};

// What changes a model's distribution without being another model.
struct Adapter {
  std::string lora;  // a LoRA adapter in GGUF, or ""
  double lora_scale = 1.0;
  std::string control_vector;  // a control vector in GGUF, or ""
  double control_scale = 1.0;
  bool operator==(const Adapter&) const = default;
};

enum class CacheType { f16, f32 };        // precision of the KV memory
enum class Flash { automatic, off, on };  // flash attention; automatic: on a GPU alone

inline constexpr std::size_t kMicroBatch = 512;  // the largest: tokens of one evaluation

struct SessionOptions {
  std::size_t cells = 0;      // KV cells; 0 = what the model was trained for
  std::size_t branches = 64;  // reduced to what the engine can hold
  std::size_t outputs = 0;    // tokens of an evaluation that return something; 0 = one a branch
  int threads = 0;            // 0 = one a core
  CacheType cache = CacheType::f16;
  Adapter adapter{};
  Flash flash = Flash::automatic;         // changes results by rounding alone
  std::size_t micro_batch = kMicroBatch;  // tokens computed at once; changes results as flash does
};

class Model {
 public:
  virtual ~Model() = default;
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  virtual std::string name() const = 0;
  // A digest that differs for other weights, another quantisation or another vocabulary.
  virtual std::string identity() const = 0;
  // A digest of the vocabulary alone: two models of one vocabulary can propose for each other.
  virtual std::string vocabulary_identity() const = 0;
  virtual std::size_t vocabulary() const = 0;
  virtual std::size_t hidden_size() const = 0;  // 0 if there is no hidden state
  virtual std::size_t context() const = 0;      // the length it was trained for, in tokens
  virtual bool is_end(Token token) const = 0;   // ends a response
  virtual Token end() const = 0;                // the one that ends a turn; kNoToken if none does

  // `special`: whether special tokens written out in the text (such as <|im_start|>) become those
  // tokens, and the model's own beginning-of-text is added where it asks for one. Without it they
  // stay plain text.
  virtual std::vector<Token> tokenize(std::string_view text, bool special) const = 0;
  // The bytes of a token, possibly part of a character; special tokens are "" unless `special`.
  virtual std::string piece(Token token, bool special) const = 0;

  // The conversation as the model's template writes it, ready for the assistant to continue.
  // Throws Error: model when the model has no template or one the engine does not know; input for a
  // message that holds a NUL character.
  virtual std::string apply_chat_template(std::span<const Message> messages) const = 0;

  virtual std::unique_ptr<Session> open_session(const SessionOptions& options) const = 0;

  // The bytes of many tokens.
  std::string text(std::span<const Token> tokens, bool special) const {
    std::string out;
    for (const Token token : tokens) out += piece(token, special);
    return out;
  }
};

}  // namespace tq
