// A finite model given as a table, exactly solvable: the twin of a real engine behind the same
// port, for proofs and tests.
//
// Guarantees: logits are log p to the last bit, minus infinity where p is 0. After a prefix that
// has no row (a finished response whose last token was fed all the same) the distribution is
// uniform. Identity is a digest of the whole table.
// Text: the piece of a token is its decimal digit ("0" to "9"), so pieces concatenated tokenise
// back to the same tokens; a vocabulary above 10 has pieces that end in '.' ("12."). tokenize()
// reads both "01" (small vocabularies) and "0.1". The end token is written out like any other, for
// it is part of the response that a table's reward is keyed by. There is no chat template and there
// are no adapters. Thread-safety: immutable; safe from many threads.
#pragma once

#include <memory>
#include <optional>

#include "transferq/engine/model.hpp"
#include "transferq/engine/tabular/table.hpp"

namespace tq::tabular {

struct TabularOptions {
  std::string name = "table";
  std::optional<Token> end = {};  // the token that ends a response, if any
  // Adds one token after the table's own, never predicted, with an empty piece, that tokenize()
  // puts first when `special` (as real models' beginning-of-text). It does not count in a prefix:
  // with it, a prompt may be empty and still have something to feed.
  bool begin = false;
};

class TabularModel final : public Model, public std::enable_shared_from_this<TabularModel> {
 public:
  static constexpr std::size_t kHidden = 4;

  // `vocabulary` counts the table's tokens, without the begin token. Throws Error (input) for a
  // malformed table, (usage) for a vocabulary of 0 or an end token outside it.
  TabularModel(std::size_t vocabulary, const Table& table, TabularOptions options = {});

  std::string name() const override { return options_.name; }
  std::string identity() const override { return identity_; }
  std::string vocabulary_identity() const override { return vocabulary_identity_; }
  std::size_t vocabulary() const override { return tokens_ + (options_.begin ? 1 : 0); }
  std::size_t hidden_size() const override { return kHidden; }
  std::size_t context() const override { return std::size_t{1} << 20; }  // no length of its own
  bool is_end(Token token) const override { return options_.end == token; }
  Token end() const override { return options_.end.value_or(kNoToken); }

  // Throws Error (input) for text that is not tokens.
  std::vector<Token> tokenize(std::string_view text, bool special) const override;
  std::string piece(Token token, bool special) const override;
  std::string apply_chat_template(std::span<const Message> messages) const override;
  std::unique_ptr<Session> open_session(const SessionOptions& options) const override;

  // The begin token, or nothing.
  std::optional<Token> begin() const;

  // log p(next token | tokens), [vocabulary].
  const std::vector<double>& log_probabilities(std::span<const Token> tokens) const;
  // A state as a real model would have one: kHidden numbers in [-1, 1) that depend on every token.
  std::vector<float> hidden(std::span<const Token> tokens) const;

 private:
  std::size_t tokens_;
  TabularOptions options_;
  std::map<Prefix, std::vector<double>> rows_;  // log-probabilities
  std::vector<double> uniform_;
  std::string identity_, vocabulary_identity_;
};

}  // namespace tq::tabular
