// What a user asks: a conversation, or plain text for raw mode.
#pragma once

#include <string>
#include <vector>

#include "transferq/engine/model.hpp"

namespace tq {

struct Prompt {
  std::string id;
  std::vector<Message> messages;  // a plain prompt is one user message
};

inline Prompt make_prompt(std::string id, std::string text) {
  return {std::move(id), {{"user", std::move(text)}}};
}

}  // namespace tq
