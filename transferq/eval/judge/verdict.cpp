#include "transferq/eval/judge/verdict.hpp"

#include <algorithm>
#include <cctype>
#include <string>

namespace tq {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view trimmed(std::string_view text, std::string_view of) {
  const std::size_t begin = text.find_first_not_of(of);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(of) + 1 - begin);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return out;
}

Preference label(std::string_view word) {
  const std::string name = lower(word);
  if (name == "a") return Preference::first;
  if (name == "b") return Preference::second;
  return name == "c" || name == "tie" ? Preference::tie : Preference::none;
}

Preference lone(std::string_view answer) {
  const std::string_view word = trimmed(answer, " \t\r\n*_`'\"()[].,:;!");
  if (word == "a" || word == "b" || word == "c") return Preference::none;  // an article, a start
  return label(word);
}

}  // namespace

Preference verdict_in(std::string_view answer, bool complete) {
  Preference last = Preference::none;
  bool a = false, b = false, c = false;
  for (std::size_t at = answer.find("[["); at != std::string_view::npos;
       at = answer.find("[[", at + 1)) {
    const std::size_t end = answer.find("]]", at + 2);
    if (end == std::string_view::npos) break;
    const Preference found = label(trimmed(answer.substr(at + 2, end - at - 2), kSpace));
    if (found == Preference::none) continue;
    last = found;
    a = a || found == Preference::first;
    b = b || found == Preference::second;
    c = c || found == Preference::tie;
  }
  if (a && b && c) return Preference::none;
  if (a || b || c) return last;
  return complete ? lone(answer) : Preference::none;
}

}  // namespace tq
