// The response in the making: what every decoder does once a token is chosen.
#pragma once

#include "transferq/decode/decoder.hpp"

namespace tq {

class Response {
 public:
  explicit Response(const DecodeTask& task) : task_(task) {}

  bool open() const { return !ended_ && tokens_.size() < task_.max_tokens; }
  std::size_t size() const { return tokens_.size(); }
  std::size_t room() const { return task_.max_tokens - tokens_.size(); }
  const std::vector<Token>& tokens() const { return tokens_; }

  // Takes the step's token and tells the sink.
  void add(Step step);
  // The draft of this response followed by `more` tokens.
  Draft draft(std::span<const Token> more) const;
  // The finished response, not scored yet.
  Decoded decoded(double kl, KlKind kind) const;
  // The finished response, scored where there is a scorer. `stream` is one that holds its tokens:
  // its states give the reward for free where the scorer reads them.
  Decoded finish(Stream& stream, double kl, KlKind kind = KlKind::exact) const;

 private:
  const DecodeTask& task_;
  std::vector<Token> tokens_;
  std::string text_;
  std::vector<EffectiveSamples> effective_;  // of the steps that have one
  bool ended_ = false;
};

}  // namespace tq
