// A finite policy written down: the next-token probabilities after each prefix, and the text form
// of a prefix, its tokens in decimal joined by '.' ("0.1"; "" is the empty prefix).
//
// Thread-safety: pure functions over plain values.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "transferq/core/token.hpp"

namespace tq::tabular {

using Prefix = std::vector<Token>;
using Table = std::map<Prefix, std::vector<double>>;

// Reads "0.1". Throws Error (input) for anything else than decimal tokens joined by '.'.
Prefix parse_prefix(std::string_view text);
std::string format_prefix(std::span<const Token> prefix);

// Throws Error (input), naming the prefix, unless every token and row fits a vocabulary of that
// size and every row is a distribution (non-negative, summing to 1 within 1e-6).
void check_table(const Table& table, std::size_t vocabulary);

}  // namespace tq::tabular
