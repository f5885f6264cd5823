#include "transferq/eval/scoring.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

bool same_prompt(const Prompt& a, const Prompt& b) {
  return std::equal(a.messages.begin(), a.messages.end(), b.messages.begin(), b.messages.end(),
                    [](const Message& x, const Message& y) {
                      return x.role == y.role && x.content == y.content;
                    });
}

// Old and new responses live side by side for a moment; a few more for what they share.
SessionOptions with_branches(SessionOptions options) {
  options.branches = 2 * ScoringWorker::kTogether + 8;
  return options;
}

std::string name_of(const ScoreItem& item) {
  if (item.id == std::to_string(item.line)) return fmt::format("line {}", item.line);
  return fmt::format("row '{}' (line {})", item.id, item.line);
}

}  // namespace

std::vector<ScoreItem> items_of(Examples examples) {
  std::vector<ScoreItem> items;
  for (Example& e : examples.rows) {
    items.push_back(
        {std::move(e.id), e.line, std::move(e.prompt), {std::move(e.response)}, e.label});
  }
  for (Pair& p : examples.pairs) {
    items.push_back({std::move(p.id),
                     p.line,
                     std::move(p.prompt),
                     {std::move(p.chosen), std::move(p.rejected)},
                     std::nullopt});
  }
  return items;
}

std::vector<std::size_t> runs_of_prompt(std::span<const ScoreItem> items, std::size_t most) {
  std::vector<std::size_t> runs;
  std::size_t responses = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::size_t more = items[i].responses.size();
    if (i > 0 && same_prompt(items[i - 1].prompt, items[i].prompt) && responses + more <= most) {
      ++runs.back();
      responses += more;
    } else {
      runs.push_back(1);
      responses = more;
    }
  }
  return runs;
}

ScoringWorker::ScoringWorker(const Reward& reward, SessionOptions options)
    : reward_(reward), pool_(with_branches(std::move(options))) {}

std::vector<double> ScoringWorker::score_drafts(std::span<const ScoreItem> items) {
  std::vector<Draft> drafts;
  std::size_t longest = 0;
  for (const ScoreItem& item : items) {
    for (const std::string& response : item.responses) {
      Draft draft;
      draft.text = response;
      draft.ended = true;
      drafts.push_back(std::move(draft));
      longest = std::max(longest, response.size());
    }
  }
  pool_.begin_prompt();
  // A guess at the tokens, of three bytes each: a head's memory then holds a text of one-byte
  // tokens, and several such take turns.
  const Workload work{longest / 3 + 1, drafts.size(), longest / 3 + 1};
  const auto scorer = reward_.open(items.front().prompt, pool_, work);
  std::vector<double> scores = scorer->score(drafts);
  evaluations_ += scorer->prompt_evaluations() + scorer->evaluations();
  return scores;
}

void ScoringWorker::score(std::span<const ScoreItem> run, const Sink& sink) {
  if (run.empty()) return;
  std::vector<double> scores;
  try {
    scores = score_drafts(run);
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) throw;
    // Input and output fail for all alike, and perhaps after a long wait.
    if (run.size() == 1 || e.kind() == ErrorKind::io) {
      throw Error(e.kind(), fmt::format("{}{}: {}", name_of(run.front()),
                                        run.size() > 1 ? " or one after it" : "", e.what()));
    }
  }
  if (!scores.empty()) {
    auto next = scores.cbegin();
    for (std::size_t i = 0; i < run.size(); ++i) {
      const auto end = next + static_cast<std::ptrdiff_t>(run[i].responses.size());
      sink(i, {next, end});
      next = end;
    }
    return;
  }
  // One of them is at fault: each by itself shows which, and the others are not lost.
  std::optional<Error> first;
  for (std::size_t i = 0; i < run.size(); ++i) {
    try {
      score(run.subspan(i, 1), [&](std::size_t, const std::vector<double>& one) { sink(i, one); });
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::interrupted) throw;
      if (!first) first = e;
    }
  }
  if (first) throw *first;
}

}  // namespace tq
