// How a judge is asked: a text with the places {prompt}, {first} and {second}. What is put there is
// not looked into, so an answer that holds "{second}" stays as it is. All other braces are text.
// Immutable, thread-safe.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "transferq/engine/model.hpp"

namespace tq {

class JudgeTemplate {
 public:
  enum class Place { text, prompt, first, second };
  struct Part {
    Place place;
    std::string text;  // of Place::text
  };

  // `name` is for messages. A line end at the end of the text is no part of it. Throws Error
  // (input) for a text that lacks a place, has one twice, or is not UTF-8.
  JudgeTemplate(std::string text, const std::string& name);
  static JudgeTemplate read(const std::filesystem::path& file);  // throws Error (io), too

  const std::string& text() const { return text_; }
  const std::vector<Part>& parts() const { return parts_; }
  // The text with the places filled in.
  std::string fill(const std::function<std::string_view(Place)>& value) const;

 private:
  std::string text_;
  std::vector<Part> parts_;
};

// The shipped templates: one that asks for reasons and a verdict of [[A]], [[B]] or [[C]] (in the
// manner of MT-bench's pair-v2, Zheng et al. 2023, arXiv:2306.05685, figure 5), and one that asks
// for A or B alone, for ask=logits.
std::string default_pair_prompt();
std::string default_logits_prompt();

// The conversation as one text: the message where there is one alone, else "role: content" each,
// with an empty line between them.
std::string conversation_text(const std::vector<Message>& messages);

}  // namespace tq
