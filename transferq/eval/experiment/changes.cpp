#include "transferq/eval/experiment/changes.hpp"

#include <algorithm>
#include <string_view>

#include "transferq/core/text.hpp"

namespace tq {
namespace {

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

bool changed(const Step& step) {
  return step.token != step.plain_choice &&
         std::any_of(step.candidates.begin(), step.candidates.end(),
                     [&](const CandidateView& c) { return c.token == step.plain_choice; });
}

void ChangedSpans::add(const Step& step) {
  const std::size_t begin = bytes_.size();
  bytes_ += step.text;
  if (changed(step) && !step.text.empty()) changed_.emplace_back(begin, bytes_.size());
}

std::vector<CharacterSpan> ChangedSpans::spans(const std::string& text) const {
  const std::size_t length = characters(replace_invalid_utf8(text));
  const std::string_view bytes = bytes_;
  std::vector<CharacterSpan> out;
  for (const auto& [from, to] : changed_) {
    const std::string_view before = bytes.substr(0, from);
    const std::size_t whole = complete_utf8(before);
    const std::size_t begin =
        characters(replace_invalid_utf8(std::string(before.substr(0, whole))));
    const std::size_t end =
        std::min(length, characters(replace_invalid_utf8(std::string(bytes.substr(0, to)))));
    if (begin >= end) continue;  // the token that ended the response
    if (!out.empty() && out.back().second >= begin) {
      out.back().second = std::max(out.back().second, end);
    } else {
      out.emplace_back(begin, end);
    }
  }
  return out;
}

}  // namespace tq
