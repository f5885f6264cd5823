#include "transferq/policy/policy.hpp"

#include <fmt/format.h>

#include "transferq/core/error.hpp"

namespace tq {

Policy::Policy(std::shared_ptr<const Model> model, Format format, Adapter adapter,
               std::string system)
    : model_(std::move(model)),
      format_(format),
      adapter_(std::move(adapter)),
      system_(std::move(system)) {}

std::string Policy::render(const Prompt& prompt) const {
  std::vector<Message> messages = prompt.messages;
  if (!system_.empty()) {
    if (!messages.empty() && messages.front().role == "system") {
      messages.front().content = system_ + "\n\n" + messages.front().content;
    } else {
      messages.insert(messages.begin(), {"system", system_});
    }
  }
  if (format_ == Format::chat) return model_->apply_chat_template(messages);
  std::string text;
  for (const Message& m : messages) {
    if (!text.empty()) text += "\n\n";
    text += m.content;
  }
  return text;
}

std::vector<Token> Policy::encode(const Prompt& prompt) const {
  std::vector<Token> tokens = model_->tokenize(render(prompt), true);
  if (tokens.empty()) {
    throw Error(ErrorKind::input,
                fmt::format("prompt '{}' is empty; write at least one word", prompt.id));
  }
  return tokens;
}

bool share_session(const Policy& a, const Policy& b) {
  return a.model().identity() == b.model().identity() && a.adapter() == b.adapter();
}

}  // namespace tq
