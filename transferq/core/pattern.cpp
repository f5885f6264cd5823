#include "transferq/core/pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <new>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

const pcre2_code* code(const std::shared_ptr<const void>& held) {
  return static_cast<const pcre2_code*>(held.get());
}

std::string message(int number) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(number, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

PCRE2_SPTR bytes(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

}  // namespace

Pattern::Pattern(const std::string& expression) : expression_(expression) {
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* compiled =
      pcre2_compile(bytes(expression), expression.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF, &error, &at, nullptr);
  if (compiled == nullptr) {
    throw Error(ErrorKind::usage,
                fmt::format("the regular expression '{}' is malformed at character {}: {}",
                            expression, at + 1, message(error)));
  }
  code_ = std::shared_ptr<const void>(compiled, [](const void* p) {
    pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(p)));
  });
}

std::size_t Pattern::count(std::string_view text) const {
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
      pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  if (match == nullptr) throw std::bad_alloc();
  std::size_t found = 0;
  std::size_t at = 0;
  std::uint32_t options = 0;
  while (at <= text.size()) {
    const int result =
        pcre2_match(code(code_), bytes(text), text.size(), at, options, match.get(), nullptr);
    if (result == PCRE2_ERROR_NOMATCH) {
      if (options == 0) return found;
      // Behind an empty match there is none that isn't: go on a character further.
      do ++at;
      while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
      options = 0;
      continue;
    }
    if (result < 0) {
      throw Error(ErrorKind::input,
                  fmt::format("the regular expression '{}' was given up on a text of {} bytes: {}; "
                              "write it so that it backtracks less",
                              expression_, text.size(), message(result)));
    }
    ++found;
    const PCRE2_SIZE* span = pcre2_get_ovector_pointer(match.get());
    // An expression with \K may end before it begins.
    const std::size_t end = std::max(span[1], at);
    options = span[0] >= end ? PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED : 0;
    at = end;
  }
  return found;
}

}  // namespace tq
