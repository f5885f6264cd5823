#include "transferq/eval/data/row_texts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"

namespace tq {
namespace {

constexpr const char* kSpace = " \t\r\n";

}  // namespace

std::string_view without_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.substr(0, kMark.size()) == kMark) text.remove_prefix(kMark.size());
  return text;
}

bool begins_array(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  return begin != std::string_view::npos && text[begin] == '[';
}

std::vector<RowText> lines_of(std::string_view text) {
  std::vector<RowText> out;
  for (std::size_t line = 1, at = 0; at < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view piece = text.substr(at, end - at);
    if (piece.find_first_not_of(kSpace) != std::string_view::npos) out.push_back({line, piece});
    at = end + 1;
  }
  return out;
}

// Only strings and brackets are understood here: the elements are parsed one by one, elsewhere.
std::vector<RowText> elements_of(std::string_view text) {
  std::vector<RowText> out;
  std::size_t line = 1, depth = 0, from = std::string_view::npos, from_line = 0, close = 0;
  bool in_string = false, closed = false;
  const auto finish = [&](std::size_t end) {
    if (from != std::string_view::npos) out.push_back({from_line, text.substr(from, end - from)});
    from = std::string_view::npos;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    const bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (closed && !space) break;
    if (depth == 1 && !in_string && !space && c != ',' && c != ']' &&
        from == std::string_view::npos) {
      from = i;
      from_line = line;
    }
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && depth > 0 && --depth == 0) {
      finish(i);
      closed = true;
      close = i;
    } else if (c == ',' && depth == 1) {
      finish(i);
    }
  }
  if (!closed || text.find_first_not_of(kSpace, close + 1) != std::string_view::npos) {
    throw Error(ErrorKind::input, fmt::format("line {}: the JSON array does not end as one", line));
  }
  return out;
}

void require_utf8(std::string_view text) {
  const std::size_t at = invalid_utf8(text);
  if (at == std::string::npos) return;
  throw Error(ErrorKind::input,
              fmt::format("not valid UTF-8 at byte {}; save the file as UTF-8", at + 1));
}

}  // namespace tq
