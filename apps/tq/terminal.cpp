#include "terminal.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "transferq/core/error.hpp"

namespace tq::app {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

bool colour_output() {
  const char* off = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) != 0 && (off == nullptr || *off == '\0');
}

std::string styled(std::string_view text, Style style, bool colour) {
  constexpr const char* kCodes[] = {"", "\033[1m", "\033[2m", "\033[32m", "\033[33m"};
  if (!colour || style == Style::plain) return std::string(text);
  return fmt::format("{}{}\033[0m", kCodes[static_cast<int>(style)], text);
}

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Error(ErrorKind::io,
                fmt::format("can't write to standard output: {}", std::strerror(errno)));
  }
}

Progress::Progress(std::size_t total, std::size_t done)
    : total_(total),
      done_(done),
      first_(done),
      shown_(::isatty(STDERR_FILENO) != 0),
      start_(now()) {
  draw();
}

Progress::~Progress() {
  if (shown_) fmt::print(stderr, "\n");
}

void Progress::advance() {
  const std::lock_guard lock(mutex_);
  ++done_;
  draw();
}

void Progress::clear() {
  const std::lock_guard lock(mutex_);
  if (!shown_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
}

void Progress::draw() {
  if (!shown_) return;
  constexpr std::size_t kWidth = 30;
  const std::size_t full = total_ == 0 ? kWidth : kWidth * done_ / total_;
  std::string left;
  if (done_ > first_ && done_ < total_) {
    const double each = (now() - start_) / static_cast<double>(done_ - first_);
    left = fmt::format("  {:.0f} s left", each * static_cast<double>(total_ - done_));
  }
  fmt::print(stderr, "\r[{}{}] {}/{}{}\033[K", std::string(full, '#'),
             std::string(kWidth - full, '.'), done_, total_, left);
  std::fflush(stderr);
}

}  // namespace tq::app
