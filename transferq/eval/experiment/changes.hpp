// Which parts of a response a decoder chose against the proposal's own likeliest token.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "transferq/decode/decoder.hpp"

namespace tq {

// Whether a step's token is not the proposal's likeliest, where both were weighed.
bool changed(const Step& step);

// [begin, end) in characters (code points) of a response's text. A token that ends inside a
// character has the whole of it; spans that touch are one.
using CharacterSpan = std::pair<std::size_t, std::size_t>;

class ChangedSpans {
 public:
  void add(const Step& step);
  // Of the steps so far; `text` is the response's.
  std::vector<CharacterSpan> spans(const std::string& text) const;

 private:
  std::string bytes_;
  std::vector<CharacterSpan> changed_;  // in bytes
};

}  // namespace tq
