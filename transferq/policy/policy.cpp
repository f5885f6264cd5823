#include "transferq/policy/policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

// A text's tokens with special ones parsed, without those that the model adds before and behind any
// text (its beginning of text) unless they are asked for.
std::vector<Token> parse(const Model& model, std::string_view text, bool before, bool behind) {
  const std::vector<Token> framed = model.tokenize("a", true), plain = model.tokenize("a", false);
  const auto at = std::search(framed.begin(), framed.end(), plain.begin(), plain.end());
  std::vector<Token> tokens = model.tokenize(text, true);
  if (at == framed.end()) return tokens;
  const auto added_before = at - framed.begin();
  const auto added_behind = framed.end() - at - static_cast<std::ptrdiff_t>(plain.size());
  if (!behind) tokens.resize(tokens.size() - static_cast<std::size_t>(added_behind));
  if (!before) tokens.erase(tokens.begin(), tokens.begin() + added_before);
  return tokens;
}

// Whether special tokens are written out in a text.
bool has_special(const Model& model, const std::string& text) {
  return parse(model, text, false, false) != model.tokenize(text, false);
}

// The conversation in tokens, the contents as plain text: the template is rendered around marks
// that stand for them, and tokenised piece by piece.
std::vector<Token> encode_apart(const Model& model, std::vector<Message> messages) {
  const auto mark = [](std::size_t i) { return fmt::format("\uE000{}\uE001", i); };  // private use
  std::vector<std::string> contents;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    contents.push_back(std::exchange(messages[i].content, mark(i)));
  }
  const std::string text = model.apply_chat_template(messages);
  std::vector<Token> tokens;
  const auto add = [&](const std::vector<Token>& more) {
    tokens.insert(tokens.end(), more.begin(), more.end());
  };
  std::size_t at = 0;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const std::size_t place = text.find(mark(i), at);
    if (place == std::string::npos) continue;  // the template has no use for this message
    add(parse(model, text.substr(at, place - at), at == 0, false));
    add(model.tokenize(contents[i], false));
    at = place + mark(i).size();
  }
  add(parse(model, text.substr(at), at == 0, true));
  return tokens;
}

}  // namespace

Policy::Policy(std::shared_ptr<const Model> model, Format format, Adapter adapter,
               std::string system)
    : model_(std::move(model)),
      format_(format),
      adapter_(std::move(adapter)),
      system_(std::move(system)) {}

// The prompt's messages, with the policy's system prompt before them.
std::vector<Message> Policy::messages_of(const Prompt& prompt) const {
  std::vector<Message> messages = prompt.messages;
  if (!system_.empty()) {
    if (!messages.empty() && messages.front().role == "system") {
      messages.front().content = system_ + "\n\n" + messages.front().content;
    } else {
      messages.insert(messages.begin(), {"system", system_});
    }
  }
  return messages;
}

std::string Policy::render(const Prompt& prompt) const {
  const std::vector<Message> messages = messages_of(prompt);
  if (format_ == Format::chat) return model_->apply_chat_template(messages);
  std::string text;
  for (const Message& m : messages) {
    if (!text.empty()) text += "\n\n";
    text += m.content;
  }
  return text;
}

std::vector<Token> Policy::encode(const Prompt& prompt) const {
  std::vector<Message> messages = messages_of(prompt);
  const bool apart = format_ == Format::chat &&
                     std::any_of(messages.begin(), messages.end(),
                                 [&](const Message& m) { return has_special(*model_, m.content); });
  std::vector<Token> tokens =
      apart ? encode_apart(*model_, std::move(messages)) : model_->tokenize(render(prompt), true);
  if (tokens.empty()) {
    throw Error(ErrorKind::input,
                fmt::format("prompt '{}' is empty; write at least one word", prompt.id));
  }
  return tokens;
}

std::size_t Policy::preamble(std::span<const Token> prompt) const {
  if (prompt.empty()) return 0;
  std::size_t length = prompt.size() - 1;
  const std::vector<Token> one = encode(make_prompt("", "1"));
  const auto most = [&](std::span<const Token> tokens) {
    const auto parted = std::mismatch(tokens.begin(), tokens.end(), one.begin(), one.end()).first;
    length = std::min(length, static_cast<std::size_t>(parted - tokens.begin()));
  };
  most(encode(make_prompt("", "0")));
  most(prompt);
  return length;
}

bool share_session(const Policy& a, const Policy& b) {
  return a.model().identity() == b.model().identity() && a.adapter() == b.adapter();
}

}  // namespace tq
