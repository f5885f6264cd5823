#include "transferq/eval/metrics/text_metrics.hpp"

#include <algorithm>
#include <set>
#include <vector>

namespace tq {
namespace {

using Words = std::vector<std::string_view>;

// How many bytes of white space the text begins with: one character's, or 0.
std::size_t space_at(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = byte(0), second = byte(1), third = byte(2);
  if ((first >= 0x09 && first <= 0x0D) || (first >= 0x1C && first <= 0x20)) return 1;
  if (first == 0xC2 && (second == 0x85 || second == 0xA0)) return 2;  // U+0085, U+00A0
  if (first == 0xE1 && second == 0x9A && third == 0x80) return 3;     // U+1680
  if (first == 0xE2 && second == 0x80) {  // U+2000 to U+200A, U+2028, U+2029, U+202F
    const bool space = (third >= 0x80 && third <= 0x8A) || third == 0xA8 || third == 0xA9;
    return space || third == 0xAF ? 3 : 0;
  }
  if (first == 0xE2 && second == 0x81 && third == 0x9F) return 3;  // U+205F
  if (first == 0xE3 && second == 0x80 && third == 0x80) return 3;  // U+3000
  return 0;
}

Words words_of(std::string_view text) {
  Words words;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t space = space_at(text.substr(i));
    if (space > 0 && i > begin) words.push_back(text.substr(begin, i - begin));
    i += std::max<std::size_t>(space, 1);
    if (space > 0) begin = i;
  }
  if (begin < text.size()) words.push_back(text.substr(begin));
  return words;
}

std::optional<double> repetition(const Words& words, std::size_t n) {
  if (words.size() < n) return std::nullopt;
  const std::size_t count = words.size() - n + 1;
  const auto less = [n](const std::string_view* a, const std::string_view* b) {
    return std::lexicographical_compare(a, a + n, b, b + n);
  };
  std::set<const std::string_view*, decltype(less)> different(less);
  for (std::size_t i = 0; i < count; ++i) different.insert(words.data() + i);
  return 100 * (1 - static_cast<double>(different.size()) / static_cast<double>(count));
}

}  // namespace

TextMetrics text_metrics(std::string_view response) {
  const Words words = words_of(response);
  TextMetrics out{words.size(), repetition(words, 2), repetition(words, 3), repetition(words, 4),
                  std::nullopt};
  if (out.rep_4) {
    out.diversity = (1 - *out.rep_2 / 100) * (1 - *out.rep_3 / 100) * (1 - *out.rep_4 / 100);
  }
  return out;
}

}  // namespace tq
