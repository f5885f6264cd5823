// What a person at a terminal sees: colours, a progress bar, and results that arrive or fail aloud.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace tq::app {

// Whether to colour standard output: a terminal, and NO_COLOR is not set.
bool colour_output();

enum class Style { plain, bold, dim, green, yellow };
std::string styled(std::string_view text, Style style, bool colour);

// Writes to standard output and makes sure it got there. Throws Error (io), for instance when the
// disk is full or the reader went away.
void print(std::string_view text);

// A bar on standard error, drawn only on a terminal. Thread-safe.
class Progress {
 public:
  Progress(std::size_t total, std::size_t done);
  ~Progress();
  void advance();
  // Wipes the bar, before something else is written; the next advance() draws it again.
  void clear();

 private:
  void draw();
  std::mutex mutex_;
  std::size_t total_;
  std::size_t done_;
  std::size_t first_;
  bool shown_;
  double start_;
};

}  // namespace tq::app
