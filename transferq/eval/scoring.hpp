// Scores responses that are there already: rows of one response, or pairs of two.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "transferq/eval/examples.hpp"
#include "transferq/policy/session_pool.hpp"
#include "transferq/reward/reward.hpp"

namespace tq {

struct ScoreItem {
  std::string id;
  std::size_t line = 0;
  Prompt prompt;
  std::vector<std::string> responses;  // one; or two, the chosen one first
  std::optional<double> label;
};

// In the order of the file.
std::vector<ScoreItem> items_of(Examples examples);

// Cuts the items into runs of one prompt, each of at most `most` responses (but one item at least):
// the number of items in each run, in order. What a run shares is evaluated once.
std::vector<std::size_t> runs_of_prompt(std::span<const ScoreItem> items, std::size_t most);

// Evaluates one run at a time in sessions of its own. Not thread-safe.
class ScoringWorker {
 public:
  // The reward must outlive the worker.
  ScoringWorker(const Reward& reward, SessionOptions options);

  // Calls `sink(i, scores)` for each item of a run, a score a response. Throws Error naming the
  // first item whose score can't be had; the others have been given to the sink by then.
  using Sink = std::function<void(std::size_t item, const std::vector<double>& scores)>;
  void score(std::span<const ScoreItem> run, const Sink& sink);

  // Tokens evaluated so far.
  std::uint64_t evaluations() const { return evaluations_; }

  static constexpr std::size_t kTogether = 16;  // responses a run should have at most

 private:
  std::vector<double> score_drafts(std::span<const ScoreItem> items);

  const Reward& reward_;
  SessionPool pool_;
  std::uint64_t evaluations_ = 0;
};

}  // namespace tq
