// Joins the requests of several threads into few calls. What is asked for while a call is under way
// goes out together in the next one; a thread that finds none under way makes the call at once, so
// nothing ever waits for more to come.
//
// What goes wrong reaches only those whose rows it concerns: a call names a failure for each row.
// Where it can't tell which row is to blame (`suspect`), and the call was a joint one, each request
// with suspects is made once more on its own, so a row never fails for what shared its call.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/engine/model.hpp"

namespace tq {

// A response to be scored somewhere else.
struct OutsideRow {
  std::vector<Message> messages;  // of the prompt; none where `response` is the whole text
  std::string response;
  bool finished = false;

  // The last message's text, or nothing.
  std::string prompt() const { return messages.empty() ? "" : messages.back().content; }
};

struct Failure {
  ErrorKind kind;
  std::string message;
  bool suspect = false;  // another row of the call may be to blame
};

// A score or why there is none.
struct Scored {
  double score = 0;
  std::optional<Failure> failure;
};

class Gathering {
 public:
  using Rows = std::span<const OutsideRow* const>;
  // One outcome a row, in order. Never called by two threads at once.
  using Call = std::function<std::vector<Scored>(Rows)>;

  explicit Gathering(Call call) : call_(std::move(call)) {}

  // The scores of the rows, in order. Throws Error for the first row that has none.
  std::vector<double> score(std::span<const OutsideRow> rows);

  // Requests that wait for the next call.
  std::size_t waiting() const;

 private:
  struct Request {
    std::span<const OutsideRow> rows;
    std::vector<Scored> outcomes;
    bool done = false;
  };
  void serve(std::span<Request* const> requests) const;
  std::vector<Scored> call(Rows rows) const;

  Call call_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Request*> waiting_;
  bool busy_ = false;  // a call is under way
};

}  // namespace tq
