#include "transferq/reward/prefix_cache.hpp"

#include <algorithm>
#include <array>

namespace tq {
namespace {

constexpr std::size_t kSpareBranches = 4;

std::size_t common(std::span<const Token> a, std::span<const Token> b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                  a.begin());
}

}  // namespace

// Makes trunk_ hold what all sequences share, but for the last token of the shortest: that one is
// evaluated with the sequence, whose hidden state is wanted.
void PrefixCache::hold_trunk(Range sequences) {
  std::size_t shared = sequences.front().size();
  std::size_t shortest = shared;
  for (const auto& s : sequences) {
    shared = std::min(shared, common(sequences.front(), s));
    shortest = std::min(shortest, s.size());
  }
  shared = std::min(shared, shortest - 1);
  const std::span<const Token> prefix(sequences.front().data(), shared);

  Held* best = &trunk_;
  std::size_t kept = common(trunk_.tokens, prefix);
  for (Held& held : held_) {
    if (const std::size_t n = common(held.tokens, prefix); n > kept) {
      kept = n;
      best = &held;
    }
  }
  // Where the new trunk does not fit beside what is held, it takes the best one's place.
  const Capacity capacity = session_->capacity();
  const bool fits = capacity.free_branches > 0 && shared - kept <= capacity.free_cells;
  Branch branch;
  if (!best->branch) {
    branch = Branch::open(*session_);
  } else if (fits) {
    branch = best->branch.fork();
  } else {
    branch = std::move(best->branch);
    held_.clear();
    trunk_ = {};
  }
  branch.truncate(kept);
  if (kept < shared) {
    const std::array<Feed, 1> feeds{Feed{branch.id(), prefix.subspan(kept)}};
    session_->forward(feeds);
    evaluations_ += shared - kept;
  }
  trunk_ = {std::move(branch), {prefix.begin(), prefix.end()}, {}};
}

std::size_t PrefixCache::wave_size(Range sequences, std::size_t shared) const {
  const Capacity capacity = session_->capacity();
  std::size_t cells = capacity.free_cells;
  std::size_t count = 0;
  while (count < sequences.size() && count < capacity.free_branches &&
         sequences[count].size() - shared <= cells) {
    cells -= sequences[count].size() - shared;
    ++count;
  }
  return std::max<std::size_t>(count, 1);  // one that does not fit gets the session's own error
}

std::vector<std::vector<float>> PrefixCache::wave(Range sequences) {
  std::vector<Held> grown;
  std::vector<Feed> feeds;
  std::vector<std::size_t> fed;
  grown.reserve(sequences.size());
  for (const auto& tokens : sequences) {
    const Held* best = &trunk_;
    std::size_t kept = trunk_.tokens.size();
    for (const Held& held : held_) {
      if (const std::size_t n = common(held.tokens, tokens); n > kept) {
        kept = n;
        best = &held;
      }
    }
    Held next{best->branch.fork(), tokens, {}};
    if (kept == tokens.size() && best->tokens.size() == kept && !best->hidden.empty()) {
      next.hidden = best->hidden;  // scored before
    } else {
      kept = std::min(kept, tokens.size() - 1);
      next.branch.truncate(kept);
      fed.push_back(grown.size());
      feeds.push_back(
          {next.branch.id(), std::span<const Token>(tokens).subspan(kept), Want::hidden});
    }
    grown.push_back(std::move(next));
  }
  held_.clear();  // drops the branches that nobody continues
  if (!feeds.empty()) {
    std::vector<Output> outputs = session_->forward(feeds);
    for (std::size_t i = 0; i < fed.size(); ++i) {
      grown[fed[i]].hidden = std::move(outputs[i].hidden);
      evaluations_ += feeds[i].tokens.size();
    }
  }
  held_ = std::move(grown);
  std::vector<std::vector<float>> out;
  for (const Held& held : held_) out.push_back(held.hidden);
  return out;
}

std::vector<std::vector<float>> PrefixCache::hidden(
    const std::vector<std::vector<Token>>& sequences) {
  std::vector<std::vector<float>> out;
  if (sequences.empty()) return out;
  hold_trunk(sequences);
  Range rest(sequences);
  // Where old and new branches do not fit side by side, the old ones go first.
  if (wave_size(rest, trunk_.tokens.size()) < rest.size()) held_.clear();
  while (!rest.empty()) {
    const std::size_t count = wave_size(rest, trunk_.tokens.size());
    for (auto& h : wave(rest.first(count))) out.push_back(std::move(h));
    rest = rest.subspan(count);
    if (!rest.empty()) held_.clear();
  }
  // Others who use the session need a branch to begin with.
  if (session_->capacity().free_branches < kSpareBranches) held_.clear();
  return out;
}

}  // namespace tq
