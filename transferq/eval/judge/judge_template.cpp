#include "transferq/eval/judge/judge_template.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"
#include "transferq/eval/text_file.hpp"

namespace tq {
namespace {

using Place = JudgeTemplate::Place;
using Part = JudgeTemplate::Part;

struct Named {
  Place place;
  std::string_view written;
};
constexpr std::array<Named, 3> kPlaces{
    {{Place::prompt, "{prompt}"}, {Place::first, "{first}"}, {Place::second, "{second}"}}};

std::vector<Part> parse(std::string_view text) {
  std::vector<Part> parts{{Place::text, ""}};
  while (!text.empty()) {
    const auto place = std::find_if(kPlaces.begin(), kPlaces.end(), [&](const Named& p) {
      return text.substr(0, p.written.size()) == p.written;
    });
    if (place == kPlaces.end()) {
      parts.back().text += text.front();
      text.remove_prefix(1);
      continue;
    }
    parts.push_back({place->place, ""});
    parts.push_back({Place::text, ""});
    text.remove_prefix(place->written.size());
  }
  return parts;
}

}  // namespace

JudgeTemplate::JudgeTemplate(std::string text, const std::string& name) : text_(std::move(text)) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorKind::input, fmt::format("the judge's prompt {} {}", name, what));
  };
  if (const std::size_t at = invalid_utf8(text_); at != std::string::npos) {
    fail(fmt::format("is not UTF-8 (byte {}); save it as UTF-8", at));
  }
  if (!text_.empty() && text_.back() == '\n') text_.pop_back();
  if (!text_.empty() && text_.back() == '\r') text_.pop_back();
  parts_ = parse(text_);
  std::vector<std::string_view> missing;
  for (const Named& p : kPlaces) {
    const auto count = std::count_if(parts_.begin(), parts_.end(),
                                     [&](const Part& part) { return part.place == p.place; });
    if (count == 0) missing.push_back(p.written);
    if (count > 1) fail(fmt::format("has {} {} times; write it once", p.written, count));
  }
  if (!missing.empty()) {
    fail(fmt::format("has no {}; it needs {{prompt}}, {{first}} and {{second}}",
                     fmt::join(missing, " and no ")));
  }
}

JudgeTemplate JudgeTemplate::read(const std::filesystem::path& file) {
  return {read_text_file(file), file.string()};
}

std::string JudgeTemplate::fill(const std::function<std::string_view(Place)>& value) const {
  std::string out;
  for (const Part& part : parts_) out += part.place == Place::text ? part.text : value(part.place);
  return out;
}

std::string default_pair_prompt() {
  return "You are an impartial referee. Below is what a user asked and what two assistants, A and "
         "B, answered. Decide which answer serves the user better: look at whether it does what "
         "was asked, and at how correct, relevant, complete and clear it is. Neither the order "
         "nor the length of the answers, nor the names of the assistants, may sway you.\n\n"
         "Compare the two answers in a few sentences first. Then finish with your verdict on a "
         "line of its own, in exactly this form: \"[[A]]\" if the answer of assistant A is better, "
         "\"[[B]]\" if that of assistant B is better, \"[[C]]\" if they are equally good.\n\n"
         "[What the user asked]\n{prompt}\n\n"
         "[Beginning of assistant A's answer]\n{first}\n[End of assistant A's answer]\n\n"
         "[Beginning of assistant B's answer]\n{second}\n[End of assistant B's answer]";
}

std::string default_logits_prompt() {
  return "Which of two answers serves the user better?\n\n"
         "[What the user asked]\n{prompt}\n\n"
         "[Answer A]\n{first}\n\n"
         "[Answer B]\n{second}\n\n"
         "[Verdict]\nReply with one letter, A or B, for the better answer.";
}

std::string conversation_text(const std::vector<Message>& messages) {
  if (messages.size() == 1) return messages.front().content;
  std::string text;
  for (const Message& m : messages) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : "\n\n", m.role, m.content);
  }
  return text;
}

}  // namespace tq
