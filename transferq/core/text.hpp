// Text as users see it: valid UTF-8, whole characters, and the name they probably meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tq {

// The offset of the first byte that is not valid UTF-8, or npos when all of the text is.
std::size_t invalid_utf8(std::string_view text);

// How many bytes of the text are whole characters: the rest is the beginning of one that more
// bytes may complete. Bytes that can never be valid count as whole.
std::size_t complete_utf8(std::string_view text);

// The text with every invalid or unfinished sequence replaced by U+FFFD, one for each maximal
// subpart (the practice Unicode recommends, and what Python's errors="replace" does).
std::string replace_invalid_utf8(std::string_view text);

// The name nearest to `name` by edit distance, or "" when none is near enough to be meant.
std::string nearest_name(std::string_view name, std::span<const std::string> names);

}  // namespace tq
