#include "transferq/engine/tabular/table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>

#include "transferq/core/error.hpp"

namespace tq::tabular {

Prefix parse_prefix(std::string_view text) {
  Prefix prefix;
  if (text.empty()) return prefix;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    Token token = kNoToken;
    const auto [next, error] = std::from_chars(at, end, token);
    if (error != std::errc() || token < 0 || (next != end && *next != '.')) {
      throw Error(ErrorKind::input,
                  fmt::format("'{}' is not a list of tokens; write them like 0.1.2", text));
    }
    prefix.push_back(token);
    if (next == end) return prefix;
    at = next + 1;
  }
}

std::string format_prefix(std::span<const Token> prefix) {
  return fmt::format("{}", fmt::join(prefix, "."));
}

void check_table(const Table& table, std::size_t vocabulary) {
  const auto fail = [](const Prefix& prefix, const std::string& what) {
    throw Error(ErrorKind::input,
                fmt::format("the row after prefix '{}' {}", format_prefix(prefix), what));
  };
  for (const auto& [prefix, row] : table) {
    for (const Token token : prefix) {
      if (token < 0 || static_cast<std::size_t>(token) >= vocabulary) {
        fail(prefix,
             fmt::format("is behind token {}, outside the vocabulary of {}", token, vocabulary));
      }
    }
    if (row.size() != vocabulary) {
      fail(prefix,
           fmt::format("has {} probabilities for a vocabulary of {}", row.size(), vocabulary));
    }
    double sum = 0;
    for (const double p : row) {
      if (!(p >= 0) || !std::isfinite(p)) fail(prefix, fmt::format("has the probability {}", p));
      sum += p;
    }
    if (std::abs(sum - 1) > 1e-6) fail(prefix, fmt::format("sums to {} and not to 1", sum));
  }
}

}  // namespace tq::tabular
