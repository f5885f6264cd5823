// A regular expression in Perl's syntax (PCRE2), over UTF-8. Texts may be of any length, and may
// hold bytes that are not UTF-8: they match nothing. Immutable and thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace tq {

class Pattern {
 public:
  // Throws Error (usage) for a malformed expression, saying where it is wrong.
  explicit Pattern(const std::string& expression);

  // How many times it matches, from left to right, without overlap. Throws Error (input) where an
  // expression that backtracks without end is given up.
  std::size_t count(std::string_view text) const;

 private:
  std::string expression_;
  std::shared_ptr<const void> code_;
};

}  // namespace tq
