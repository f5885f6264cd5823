// The rows of a text file as pieces of its text, each with the line it begins on, so that an error
// can name it. Nothing is parsed here but what separates rows.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace tq {

struct RowText {
  std::size_t line = 0;  // counted from 1
  std::string_view text;
};

// The text without the byte order mark that some editors write in front.
std::string_view without_mark(std::string_view text);

// Whether the text begins as a JSON array.
bool begins_array(std::string_view text);

// The lines that are not blank.
std::vector<RowText> lines_of(std::string_view text);

// The elements of a JSON array. Throws Error (input), naming the line, when the array does not end
// or something follows it.
std::vector<RowText> elements_of(std::string_view text);

// Throws Error (input), naming the byte, unless the text is valid UTF-8.
void require_utf8(std::string_view text);

}  // namespace tq
