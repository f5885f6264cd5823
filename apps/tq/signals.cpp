#include "signals.hpp"

#include <fmt/format.h>

#include <csignal>
#include <thread>

namespace tq::app {
namespace {

// Never destroyed: the thread that waits goes on while the program exits.
struct Request {
  std::stop_source source;
  std::string reason = "interrupted";  // written before the stop is requested
};
Request& request() {
  static Request& only = *new Request;
  return only;
}

// Waits for one of these signals, and for nothing else that may wake a thread.
siginfo_t wait_for(const sigset_t& set) {
  siginfo_t info{};
  while (sigwaitinfo(&set, &info) < 0) {
  }
  return info;
}

std::string reason_of(const siginfo_t& info) {
  if (info.si_code != SI_USER) return "interrupted";
  return fmt::format("interrupted ({} from process {})",
                     info.si_signo == SIGINT ? "SIGINT" : "SIGTERM", info.si_pid);
}

}  // namespace

std::stop_token stop_on_signals() {
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
      request().reason = reason_of(wait_for(set));
      request().source.request_stop();
      pthread_sigmask(SIG_UNBLOCK, &set, nullptr);  // a second one ends the program at once
      for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    }).detach();
    return true;
  }();
  (void)installed;
  return request().source.get_token();
}

std::string interruption() { return request().reason; }

}  // namespace tq::app
