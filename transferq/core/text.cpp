#include "transferq/core/text.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tq {
namespace {

enum class Form { valid, truncated, invalid };

struct Sequence {
  Form form;
  std::size_t size;  // bytes of the character, or of the maximal subpart that went wrong
};

// The sequence at the start of a non-empty text, by table 3-7 of the Unicode standard.
Sequence first_sequence(std::string_view t) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(t[i]); };
  const std::uint8_t b0 = byte(0);
  std::size_t size = 0;
  std::uint8_t low = 0x80, high = 0xBF;  // bounds of the second byte
  if (b0 < 0x80) return {Form::valid, 1};
  if (b0 >= 0xC2 && b0 <= 0xDF) {
    size = 2;
  } else if (b0 >= 0xE0 && b0 <= 0xEF) {
    size = 3;
    if (b0 == 0xE0) low = 0xA0;
    if (b0 == 0xED) high = 0x9F;
  } else if (b0 >= 0xF0 && b0 <= 0xF4) {
    size = 4;
    if (b0 == 0xF0) low = 0x90;
    if (b0 == 0xF4) high = 0x8F;
  } else {
    return {Form::invalid, 1};
  }
  for (std::size_t i = 1; i < size; ++i) {
    if (i >= t.size()) return {Form::truncated, i};
    if (byte(i) < low || byte(i) > high) return {Form::invalid, i};
    low = 0x80;
    high = 0xBF;
  }
  return {Form::valid, size};
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}

}  // namespace

std::size_t invalid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Sequence s = first_sequence(text.substr(at));
    if (s.form != Form::valid) return at;
    at += s.size;
  }
  return std::string_view::npos;
}

std::size_t complete_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Sequence s = first_sequence(text.substr(at));
    if (s.form == Form::truncated) break;
    at += s.size;
  }
  return at;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const Sequence s = first_sequence(text.substr(at));
    if (s.form == Form::valid) {
      out.append(text.substr(at, s.size));
    } else {
      out.append("\xEF\xBF\xBD");
    }
    at += s.size;
  }
  return out;
}

std::string nearest_name(std::string_view name, std::span<const std::string> names) {
  std::string best;
  std::size_t distance = std::max<std::size_t>(1, name.size() / 2);
  for (const std::string& candidate : names) {
    const std::size_t d = edit_distance(name, candidate);
    if (d < distance || (d == distance && best.empty())) {
      distance = d;
      best = candidate;
    }
  }
  return best;
}

}  // namespace tq
