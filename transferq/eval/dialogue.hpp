// Dialogues as HH-RLHF writes them: "\n\nHuman: ...\n\nAssistant: ...", prompt and response in one
// text. Source: Bai et al., arXiv:2204.05862, and the files of anthropics/hh-rlhf.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "transferq/policy/prompt.hpp"

namespace tq {

// Whether a text begins as such a dialogue.
bool is_dialogue(std::string_view text);

// Its turns: Human is the user. Throws Error (input) when it begins otherwise or its last turn is
// not the assistant's.
std::vector<Message> split_dialogue(std::string_view text);

// The turns of a dialogue that ends where the assistant is to speak, as Nectar writes a prompt:
// "\n\nHuman: ...\n\nAssistant:". Throws Error (input) when it ends otherwise.
std::vector<Message> dialogue_prompt(std::string_view text);

// Turns written out as such a prompt, for models that read it as plain text.
std::string dialogue_text(const std::vector<Message>& messages);

// Two dialogues as prompt and responses.
struct DialoguePair {
  std::vector<Message> prompt;  // the turns they share, up to where the assistant speaks
  std::string first, second;    // what the assistant says then
};

// Where dialogues part before their last turn, a response is all that follows, with its turns
// written out as they were. Throws Error (input) when they share no beginning.
DialoguePair part_dialogues(std::string_view first, std::string_view second);

}  // namespace tq
