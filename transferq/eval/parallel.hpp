// Runs prompts side by side: one worker a thread, each with sessions of its own.
#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>

namespace tq {

// Calls `make(worker)` once in each thread for a function that is then called with indices
// 0..count-1, each exactly once, in no particular order. The first exception stops the others
// before their next index and is rethrown when all have stopped, as is a request to stop by
// returning early.
void run_parallel(std::size_t count, std::size_t workers, std::stop_token stop,
                  const std::function<std::function<void(std::size_t)>(std::size_t worker)>& make);

}  // namespace tq
