#include "transferq/engine/llama/runtime.hpp"

#include <llama.h>

#include <algorithm>
#include <mutex>

namespace tq::llama {
namespace {

thread_local std::string error_text;

void keep_errors(ggml_log_level level, const char* text, void*) {
  if (level == GGML_LOG_LEVEL_ERROR && error_text.size() < 4096) error_text += text;
}

}  // namespace

void ensure_started() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(keep_errors, nullptr);
    llama_backend_init();
  });
}

void clear_log() { error_text.clear(); }

std::string last_error() {
  // The first line is the cause; those behind it repeat it on the way up.
  std::string line = error_text.substr(0, error_text.find('\n'));
  const std::size_t colon = line.find(": ");
  return colon == std::string::npos ? line : line.substr(colon + 2);
}

}  // namespace tq::llama
