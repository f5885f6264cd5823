#include "transferq/reward/gathering.hpp"

#include <algorithm>
#include <utility>

namespace tq {
namespace {

void append_rows(std::span<const OutsideRow> rows, std::vector<const OutsideRow*>& to) {
  for (const OutsideRow& row : rows) to.push_back(&row);
}

bool suspect(const Scored& outcome) { return outcome.failure && outcome.failure->suspect; }

}  // namespace

std::vector<Scored> Gathering::call(Rows rows) const {
  const auto all = [&](const Failure& failure) {
    return std::vector<Scored>(rows.size(), Scored{0, failure});
  };
  // Errors cross threads as values: a thrown object belongs to one of them.
  try {
    auto outcomes = call_(rows);
    if (outcomes.size() == rows.size()) return outcomes;
    return all({ErrorKind::io, "the reward answered another number of rows than it was asked"});
  } catch (const Error& e) {
    return all({e.kind(), e.what()});
  } catch (const std::exception& e) {
    return all({ErrorKind::io, e.what()});
  }
}

void Gathering::serve(std::span<Request* const> requests) const {
  std::vector<const OutsideRow*> rows;
  for (const Request* request : requests) append_rows(request->rows, rows);
  const std::vector<Scored> outcomes = call(rows);
  auto at = outcomes.begin();
  for (Request* request : requests) {
    const auto end = at + static_cast<std::ptrdiff_t>(request->rows.size());
    request->outcomes.assign(at, end);
    at = end;
  }
  if (requests.size() == 1) return;
  for (Request* request : requests) {
    if (std::none_of(request->outcomes.begin(), request->outcomes.end(), suspect)) continue;
    std::vector<const OutsideRow*> own;
    append_rows(request->rows, own);
    request->outcomes = call(own);
  }
}

std::size_t Gathering::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

std::vector<double> Gathering::score(std::span<const OutsideRow> rows) {
  if (rows.empty()) return {};
  Request request{rows, {}, false};
  std::unique_lock lock(mutex_);
  waiting_.push_back(&request);
  while (!request.done) {
    if (busy_) {
      changed_.wait(lock);
      continue;
    }
    busy_ = true;
    const std::vector<Request*> requests = std::exchange(waiting_, {});
    lock.unlock();
    serve(requests);
    lock.lock();
    for (Request* r : requests) r->done = true;
    busy_ = false;
    changed_.notify_all();
  }
  lock.unlock();
  std::vector<double> scores;
  for (const Scored& outcome : request.outcomes) {
    if (outcome.failure) throw Error(outcome.failure->kind, outcome.failure->message);
    scores.push_back(outcome.score);
  }
  return scores;
}

}  // namespace tq
