#include "transferq/eval/dialogue.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

constexpr const char* kSpace = " \t\r\n";
constexpr std::array<std::pair<std::string_view, const char*>, 2> kSpeakers{
    {{"Human:", "user"}, {"Assistant:", "assistant"}}};

std::string_view trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(kSpace);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kSpace) - from + 1);
}

// The speaker a text begins with, or none.
const std::pair<std::string_view, const char*>* speaker_at(std::string_view text) {
  const auto it = std::find_if(kSpeakers.begin(), kSpeakers.end(), [&](const auto& speaker) {
    return text.substr(0, speaker.first.size()) == speaker.first;
  });
  return it == kSpeakers.end() ? nullptr : it;
}

struct Turn {
  Message message;
  std::size_t content;  // offset of what is said
};

std::vector<Turn> turns_of(std::string_view text) {
  std::vector<Turn> turns;
  for (std::size_t at = std::min(text.find_first_not_of(kSpace), text.size()); at < text.size();) {
    const auto* speaker = speaker_at(text.substr(at));
    if (speaker == nullptr) {
      throw Error(ErrorKind::input, "the text is no dialogue; it begins with \"Human: \"");
    }
    const std::size_t content = at + speaker->first.size();
    std::size_t end = text.find("\n\n", content);
    while (end != std::string_view::npos && speaker_at(text.substr(end + 2)) == nullptr) {
      end = text.find("\n\n", end + 1);
    }
    end = std::min(end, text.size());
    turns.push_back(
        {{speaker->second, std::string(trimmed(text.substr(content, end - content)))}, content});
    at = end == text.size() ? end : end + 2;
  }
  if (turns.empty() || turns.back().message.role != "assistant") {
    throw Error(ErrorKind::input, "the dialogue's last turn is not the assistant's");
  }
  return turns;
}

bool same(const Turn& a, const Turn& b) {
  return a.message.role == b.message.role && a.message.content == b.message.content;
}

}  // namespace

bool is_dialogue(std::string_view text) {
  const std::size_t from = text.find_first_not_of(kSpace);
  return from != std::string_view::npos && speaker_at(text.substr(from)) != nullptr;
}

std::vector<Message> split_dialogue(std::string_view text) {
  std::vector<Message> messages;
  for (Turn& turn : turns_of(text)) messages.push_back(std::move(turn.message));
  return messages;
}

std::vector<Message> dialogue_prompt(std::string_view text) {
  std::vector<Message> messages = split_dialogue(text);
  if (!messages.back().content.empty()) {
    throw Error(ErrorKind::input, "the prompt must end with \"Assistant:\" and nothing behind it");
  }
  messages.pop_back();
  return messages;
}

std::string dialogue_text(const std::vector<Message>& messages) {
  std::string text;
  for (const Message& message : messages) {
    const auto speaker = std::find_if(kSpeakers.begin(), kSpeakers.end(),
                                      [&](const auto& s) { return message.role == s.second; });
    text += "\n\n";
    if (speaker != kSpeakers.end()) text.append(speaker->first).append(" ");
    text += message.content;
  }
  return text.append("\n\n").append(kSpeakers.back().first);
}

DialoguePair part_dialogues(std::string_view first, std::string_view second) {
  const std::vector<Turn> a = turns_of(first);
  const std::vector<Turn> b = turns_of(second);
  const std::size_t shorter = std::min(a.size(), b.size());
  std::size_t shared = 0;
  while (shared + 1 < shorter && same(a[shared], b[shared])) ++shared;
  const auto answers = [&](const Turn& turn) { return turn.message.role == "assistant"; };
  while (shared > 0 && !(answers(a[shared]) && answers(b[shared]))) --shared;
  if (!answers(a[shared]) || !answers(b[shared])) {
    throw Error(ErrorKind::input, "the two dialogues share no beginning");
  }
  DialoguePair out;
  for (std::size_t i = 0; i < shared; ++i) out.prompt.push_back(a[i].message);
  out.first = trimmed(first.substr(a[shared].content));
  out.second = trimmed(second.substr(b[shared].content));
  return out;
}

}  // namespace tq
