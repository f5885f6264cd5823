#include "transferq/engine/batcher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <set>
#include <utility>

#include "transferq/core/error.hpp"

namespace tq {

struct Batcher::Request {
  std::size_t port;
  std::span<const Feed> feeds;
  std::vector<Output> outputs = {};
  std::exception_ptr error = nullptr;
  bool done = false;

  std::size_t tokens() const {
    std::size_t sum = 0;
    for (const Feed& feed : feeds) sum += feed.tokens.size();
    return sum;
  }
};

class Batcher::Port : public Session {
 public:
  explicit Port(Batcher& batcher) : batcher_(batcher) {
    const std::lock_guard lock(batcher_.mutex_);
    number_ = batcher_.made_++;
    ++batcher_.living_;
  }

  ~Port() override {
    {
      const std::lock_guard lock(batcher_.mutex_);
      for (const BranchId branch : branches_) batcher_.session_->drop(branch);
      --batcher_.living_;
    }
    batcher_.wake_.notify_all();  // the others may now be complete
  }

  const Model& model() const override { return batcher_.session_->model(); }

  Capacity capacity() const override {
    const std::lock_guard lock(batcher_.mutex_);
    return batcher_.session_->capacity();
  }

  std::uint64_t evaluations() const override { return evaluations_; }

  BranchId open() override {
    const std::lock_guard lock(batcher_.mutex_);
    const BranchId branch = batcher_.session_->open();
    branches_.insert(branch);
    return branch;
  }

  BranchId fork(BranchId branch) override {
    own(branch);
    const std::lock_guard lock(batcher_.mutex_);
    const BranchId copy = batcher_.session_->fork(branch);
    branches_.insert(copy);
    return copy;
  }

  void truncate(BranchId branch, std::size_t length) override {
    own(branch);
    const std::lock_guard lock(batcher_.mutex_);
    batcher_.session_->truncate(branch, length);
  }

  void drop(BranchId branch) override {
    own(branch);
    const std::lock_guard lock(batcher_.mutex_);
    batcher_.session_->drop(branch);
    branches_.erase(branch);
  }

  std::vector<Token> tokens(BranchId branch) const override {
    own(branch);
    const std::lock_guard lock(batcher_.mutex_);
    return batcher_.session_->tokens(branch);
  }

  std::size_t length(BranchId branch) const override {
    own(branch);
    const std::lock_guard lock(batcher_.mutex_);
    return batcher_.session_->length(branch);
  }

  std::vector<Output> forward(std::span<const Feed> feeds) override {
    for (const Feed& feed : feeds) own(feed.branch);
    if (feeds.empty()) return {};
    check_stopped();
    Request request{.port = number_, .feeds = feeds};
    batcher_.run(request);
    if (request.error != nullptr) std::rethrow_exception(request.error);
    evaluations_ += request.tokens();
    return std::move(request.outputs);
  }

 private:
  void own(BranchId branch) const {
    if (branches_.count(branch) == 0) {
      throw Error(ErrorKind::usage, fmt::format("branch {} does not exist", branch));
    }
  }

  Batcher& batcher_;
  std::size_t number_ = 0;
  std::set<BranchId> branches_;  // touched by this port's own thread alone
  std::uint64_t evaluations_ = 0;
};

Batcher::Batcher(std::unique_ptr<Session> session) : session_(std::move(session)) {}
Batcher::~Batcher() = default;

std::unique_ptr<Session> Batcher::port() { return std::make_unique<Port>(*this); }

std::uint64_t Batcher::rounds() const {
  const std::lock_guard lock(mutex_);
  return rounds_;
}

// Waits until the request is done; whoever finds all living ports waiting evaluates for them all.
void Batcher::run(Request& request) {
  std::unique_lock lock(mutex_);
  waiting_.push_back(&request);
  while (!request.done) {
    if (waiting_.size() >= living_) {
      evaluate();
      wake_.notify_all();
    } else {
      wake_.wait(lock);
    }
  }
}

void Batcher::evaluate() {
  std::vector<Request*> requests = std::exchange(waiting_, {});
  // In the order of the ports, so that a batch does not depend on which thread came first.
  std::sort(requests.begin(), requests.end(),
            [](const Request* a, const Request* b) { return a->port < b->port; });
  // A copy each: one exception object must not be read and freed on several threads.
  const auto fail = [&](ErrorKind kind, const char* message) {
    for (Request* request : requests) {
      request->error = std::make_exception_ptr(Error(kind, message));
    }
  };
  try {
    evaluate_together(requests);
  } catch (const Error& error) {
    // These two kinds leave the session as it was. Any other is everyone's.
    const bool refused = error.kind() == ErrorKind::capacity || error.kind() == ErrorKind::usage;
    if (refused && requests.size() > 1) {
      evaluate_apart(requests);
    } else {
      fail(error.kind(), error.what());
    }
  } catch (const std::exception& error) {
    fail(ErrorKind::model, error.what());
  } catch (...) {
    fail(ErrorKind::model, "the evaluation failed for an unknown reason");
  }
  for (Request* request : requests) request->done = true;
}

void Batcher::evaluate_apart(std::vector<Request*>& requests) {
  std::stable_sort(requests.begin(), requests.end(),
                   [](const Request* a, const Request* b) { return a->tokens() < b->tokens(); });
  for (Request* request : requests) {
    try {
      evaluate_together({&request, 1});
    } catch (...) {
      request->error = std::current_exception();
    }
  }
}

void Batcher::evaluate_together(std::span<Request* const> requests) {
  std::vector<Feed> feeds;
  for (const Request* request : requests) {
    feeds.insert(feeds.end(), request->feeds.begin(), request->feeds.end());
  }
  std::vector<Output> outputs = session_->forward(feeds);
  ++rounds_;
  auto at = outputs.begin();
  for (Request* request : requests) {
    const auto end = at + static_cast<std::ptrdiff_t>(request->feeds.size());
    request->outputs.assign(std::make_move_iterator(at), std::make_move_iterator(end));
    at = end;
  }
}

}  // namespace tq
