// A policy is a next-token distribution: a model, what adapts it, and how a prompt is written for
// it. Reference, baseline and the base of a reward head are all policies. Immutable, thread-safe.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "transferq/engine/model.hpp"
#include "transferq/policy/prompt.hpp"

namespace tq {

enum class Format {
  chat,  // the model's chat template, ready for the assistant's turn
  raw,   // the text as it is, special tokens parsed
};

class Policy {
 public:
  Policy(std::shared_ptr<const Model> model, Format format, Adapter adapter = {},
         std::string system = "");

  const Model& model() const { return *model_; }
  const std::shared_ptr<const Model>& shared_model() const { return model_; }
  const Adapter& adapter() const { return adapter_; }
  Format format() const { return format_; }
  const std::string& system() const { return system_; }

  // The prompt as this policy reads it. The policy's system prompt comes first; a prompt that
  // brings its own has it appended. In raw mode the messages' contents are joined by blank lines.
  std::string render(const Prompt& prompt) const;

  // render() in tokens. In chat mode the template's special tokens are parsed, and those written
  // out in a message stay plain text: no message can end its turn or begin another's. Throws Error
  // (input) when nothing is left to evaluate.
  std::vector<Token> encode(const Prompt& prompt) const;

  // How many of the first tokens of an encoded prompt come before anything that the prompt itself
  // says: those of the template and of the policy's system prompt, which all its prompts begin with
  // unless they bring a system prompt of their own. Less than all of them; depends on nothing else.
  std::size_t preamble(std::span<const Token> prompt) const;

 private:
  std::vector<Message> messages_of(const Prompt& prompt) const;

  std::shared_ptr<const Model> model_;
  Format format_;
  Adapter adapter_;
  std::string system_;
};

// Two policies can evaluate in one session when model and adapter are the same.
bool share_session(const Policy& a, const Policy& b);

}  // namespace tq
