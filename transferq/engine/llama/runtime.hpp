// llama.cpp's process-wide state: start-up, and its log kept silent but for the reason of a
// failure. Private to this folder.
#pragma once

#include <string>

namespace tq::llama {

// Starts the engine once a process. Thread-safe.
void ensure_started();

// Forgets what llama.cpp has logged on this thread so far.
void clear_log();

// The last error llama.cpp logged on this thread since clear_log(), on one line; "" if none.
std::string last_error();

}  // namespace tq::llama
