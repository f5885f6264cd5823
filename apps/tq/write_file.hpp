// A whole file written at once.
#pragma once

#include <string>

namespace tq::app {

// Puts the whole text there, or leaves what was there as it was. Throws Error (io).
void write_file(const std::string& path, const std::string& text);

// Throws Error (io) where no file can be put there: to be known before the work, not after it.
void check_out(const std::string& path);

}  // namespace tq::app
