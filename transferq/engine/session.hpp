// The engine port, part one: a session evaluates tokens of one (model, adapter) and remembers them.
//
// A session holds branches over one KV memory. A branch is a sequence of tokens already evaluated;
// forking shares the prefix and costs nothing; forward() appends tokens to any number of branches
// in one evaluation and returns what was asked of each.
//
// Guarantees, checked by the contract suite (tests/contract) for every implementation:
//  - the output of a branch depends only on its own tokens (exactly on the tabular engine, up to
//    batch-shape rounding on llama.cpp);
//  - fork is O(1) and evaluates nothing; truncate and drop free the cells nobody else shares;
//  - a call that throws Error (capacity, usage or interrupted) changes nothing;
//  - evaluations() grows by exactly the number of tokens fed.
// Thread-safety: one thread at a time, unless an implementation says more (see Batcher).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/core/token.hpp"

namespace tq {

class Model;

using BranchId = std::int32_t;

// What forward() returns for a feed: after its last token, or for each of its tokens (states,
// likelihood). Combine with |.
enum class Want : std::uint8_t {
  nothing = 0,
  logits = 1,
  argmax = 2,
  hidden = 4,
  states = 8,
  likelihood = 16,
};
constexpr Want operator|(Want a, Want b) {
  return static_cast<Want>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr Want operator&(Want a, Want b) {
  return static_cast<Want>(static_cast<std::uint8_t>(a) & static_cast<std::uint8_t>(b));
}
constexpr Want operator~(Want a) { return static_cast<Want>(~static_cast<std::uint8_t>(a) & 0xff); }
// Whether the two have a flag in common.
constexpr bool has(Want set, Want flag) {
  return (static_cast<std::uint8_t>(set) & static_cast<std::uint8_t>(flag)) != 0;
}

// New tokens (at least one) for a branch, and what to return.
struct Feed {
  BranchId branch;
  std::span<const Token> tokens;
  Want want = Want::nothing;
};

struct Output {
  std::vector<double> logits;  // [vocabulary], unnormalised natural log-odds; empty if not wanted
  std::vector<float> hidden;   // [hidden size], after the final norm; empty if not wanted
  Token argmax = kNoToken;     // the token of the highest logit, ties to the lower one
  std::vector<float> states;   // [tokens of the feed x hidden size]: `hidden` after each of them
  std::vector<double> likelihood;  // [tokens of the feed - 1]: ln P(the next of them | all before)
};

struct Capacity {
  std::size_t branches;  // branches that can live at once
  std::size_t cells;     // tokens that can be held at once, a shared prefix counted once
  std::size_t free_branches;
  std::size_t free_cells;
};

class Session {
 public:
  virtual ~Session() = default;
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  virtual const Model& model() const = 0;
  virtual Capacity capacity() const = 0;
  // Tokens evaluated since the session was made: the currency of every comparison.
  virtual std::uint64_t evaluations() const = 0;

  virtual BranchId open() = 0;                 // a new, empty branch
  virtual BranchId fork(BranchId branch) = 0;  // a copy that shares its cells
  virtual void truncate(BranchId branch,
                        std::size_t length) = 0;  // keeps the first `length` tokens
  virtual void drop(BranchId branch) = 0;
  virtual std::vector<Token> tokens(BranchId branch) const = 0;
  virtual std::size_t length(BranchId branch) const = 0;

  // Appends each feed's tokens to its branch; one output a feed, in order. A branch appears in at
  // most one feed of a call.
  virtual std::vector<Output> forward(std::span<const Feed> feeds) = 0;

  // From now on forward() throws Error (interrupted) once a stop is requested, on the way of a long
  // evaluation where the engine can.
  void stop_on(std::stop_token stop) { stop_ = std::move(stop); }

 protected:
  bool stopped() const { return stop_.stop_requested(); }
  void check_stopped() const {
    if (stopped()) throw Error(ErrorKind::interrupted, "interrupted");
  }

 private:
  std::stop_token stop_;
};

// Owns one branch of a session and drops it at the end of its life.
class Branch {
 public:
  Branch() = default;
  Branch(Session& session, BranchId id) : session_(&session), id_(id) {}
  static Branch open(Session& session) { return {session, session.open()}; }
  Branch fork() const { return {*session_, session_->fork(id_)}; }
  ~Branch() { reset(); }
  Branch(Branch&& other) noexcept : session_(other.session_), id_(other.id_) {
    other.session_ = nullptr;
  }
  Branch& operator=(Branch&& other) noexcept {
    if (this != &other) {
      reset();
      session_ = other.session_;
      id_ = other.id_;
      other.session_ = nullptr;
    }
    return *this;
  }

  explicit operator bool() const { return session_ != nullptr; }
  BranchId id() const { return id_; }
  Session& session() const { return *session_; }
  std::size_t length() const { return session_->length(id_); }
  void truncate(std::size_t length) { session_->truncate(id_, length); }

 private:
  void reset() {
    if (session_ != nullptr) session_->drop(id_);
    session_ = nullptr;
  }
  Session* session_ = nullptr;
  BranchId id_ = -1;
};

}  // namespace tq
