// Joins the evaluations of several decoders into one. Where several prompts share a memory, each
// decoder runs on its own thread against a port of its own; when every living port is waiting at
// forward(), their feeds go to the session together. No decoder knows.
//
// A port is a Session: its branches and its evaluations() are its own, its capacity is what the
// shared session has left. Where the joint evaluation is refused (a memory too small, a malformed
// feed), each port's part is tried alone, the smallest first, so that only a port whose own part
// is at fault gets the error. Any other failure is every waiting port's, as Error.
// Thread-safety: ports may be used from different threads at once, each from one thread at a time.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "transferq/engine/session.hpp"

namespace tq {

class Batcher {
 public:
  // The batcher must outlive its ports.
  explicit Batcher(std::unique_ptr<Session> session);
  ~Batcher();

  // A port for one decoder; dropping it drops its branches. Waiting decoders are evaluated as soon
  // as all living ports wait, so make the ports of a batch before the first is used, and keep none
  // that is not used.
  std::unique_ptr<Session> port();

  // Evaluations of the session made so far, for tests and benches.
  std::uint64_t rounds() const;

 private:
  class Port;
  struct Request;
  void run(Request& request);
  void evaluate();
  void evaluate_together(std::span<Request* const> requests);
  void evaluate_apart(std::vector<Request*>& requests);

  mutable std::mutex mutex_;  // guards all that follows, the session included
  std::condition_variable wake_;
  std::unique_ptr<Session> session_;
  std::vector<Request*> waiting_;
  std::size_t living_ = 0;  // ports
  std::size_t made_ = 0;    // ports
  std::uint64_t rounds_ = 0;
};

}  // namespace tq
