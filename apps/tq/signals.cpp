#include "signals.hpp"

#include <csignal>
#include <thread>

namespace tq::app {

std::stop_token stop_on_signals() {
  static std::stop_source source;
  static const bool installed = [] {
    std::signal(SIGXFSZ, SIG_IGN);
    std::signal(SIGPIPE, SIG_IGN);
    // A thread of its own waits for the signals: nothing happens inside a handler.
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::thread([set] {
      int signal = 0;
      sigwait(&set, &signal);
      source.request_stop();
      pthread_sigmask(SIG_UNBLOCK, &set, nullptr);  // a second one ends the program at once
      for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    }).detach();
    return true;
  }();
  (void)installed;
  return source.get_token();
}

}  // namespace tq::app
