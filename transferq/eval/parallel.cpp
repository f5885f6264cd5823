#include "transferq/eval/parallel.hpp"

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace tq {

void run_parallel(std::size_t count, std::size_t workers, std::stop_token stop,
                  const std::function<std::function<void(std::size_t)>(std::size_t)>& make) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr first;
  std::mutex mutex;
  const auto body = [&](std::size_t worker) {
    try {
      const auto work = make(worker);
      while (!failed && !stop.stop_requested()) {
        const std::size_t index = next++;
        if (index >= count) return;
        work(index);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (first == nullptr) first = std::current_exception();
      failed = true;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < workers; ++i) threads.emplace_back(body, i);
  }
  if (first != nullptr) std::rethrow_exception(first);
}

}  // namespace tq
