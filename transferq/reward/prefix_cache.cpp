#include "transferq/reward/prefix_cache.hpp"

#include <algorithm>
#include <array>

#include "transferq/core/logspace.hpp"
#include "transferq/engine/model.hpp"

namespace tq {
namespace {

constexpr std::size_t kSpareBranches = 4;

std::size_t common(std::span<const Token> a, std::span<const Token> b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                  a.begin());
}

Want want_of(Reading reading) {
  switch (reading) {
    case Reading::last:
      return Want::hidden;
    case Reading::mean:
    case Reading::both:
      return Want::states;
    case Reading::likelihood:
      return Want::likelihood;
    default:
      return Want::logits;
  }
}

}  // namespace

struct PrefixCache::Growth {
  Held held;              // its branch and trace end at `start` and `kept`
  std::size_t kept = 0;   // tokens whose trace is known
  std::size_t start = 0;  // the first token to be evaluated; all of them: nothing is
};

PrefixCache::PrefixCache(Session& session, PrefixCacheOptions options)
    : session_(&session), options_(std::move(options)), want_(want_of(options_.reading)) {
  const bool likelihood = options_.reading == Reading::likelihood;
  if (want_ == Want::states) stride_ = session.model().hidden_size();
  if (likelihood) stride_ = 1;
  // Nothing comes before the first token, so it has no likelihood.
  trace_from_ = likelihood ? std::max<std::size_t>(options_.from, 1) : options_.from;
}

std::vector<Output> PrefixCache::forward(std::span<const Feed> feeds) {
  std::vector<Output> outputs = session_->forward(feeds);
  for (const Feed& feed : feeds) evaluations_ += feed.tokens.size();
  return outputs;
}

// A fork of `parent`, whose first `kept` tokens are the sequence's, ready to be fed the rest.
PrefixCache::Growth PrefixCache::grow(const Held& parent, const std::vector<Token>& tokens,
                                      std::size_t kept) const {
  Growth growth{{parent.branch.fork(), tokens, {}, {}}, kept, kept};
  if (stride_ == 0) {
    if (kept == tokens.size() && parent.tokens.size() == kept && !parent.end.empty()) {
      growth.held.end = parent.end;  // read before
      return growth;
    }
    growth.start = std::min(kept, tokens.size() - 1);
  } else {
    const std::size_t known = kept > trace_from_ ? (kept - trace_from_) * stride_ : 0;
    growth.held.trace.assign(parent.trace.begin(),
                             parent.trace.begin() + static_cast<std::ptrdiff_t>(known));
    // The likelihood of the first new token follows from the one before.
    const bool step_back = want_ == Want::likelihood && kept < tokens.size() && kept >= trace_from_;
    growth.start = step_back ? kept - 1 : kept;
  }
  growth.held.branch.truncate(growth.start);
  return growth;
}

// Reads what the evaluation of the tokens from `start` on gave.
void PrefixCache::take(Growth& growth, const Output& output) const {
  Held& held = growth.held;
  if (options_.reading == Reading::last) {
    held.end.assign(output.hidden.begin(), output.hidden.end());
  } else if (options_.reading == Reading::next) {
    const double total = log_sum_exp(output.logits);
    for (const Token token : options_.watch) {
      held.end.push_back(output.logits[static_cast<std::size_t>(token)] - total);
    }
  } else {
    const bool likelihood = options_.reading == Reading::likelihood;
    const std::size_t first = growth.start + (likelihood ? 1 : 0);  // the token of the first row
    const std::size_t skip = (std::max(growth.kept, trace_from_) - first) * stride_;
    const auto append = [&](const auto& rows) {
      if (skip >= rows.size()) return;
      held.trace.insert(held.trace.end(), rows.begin() + static_cast<std::ptrdiff_t>(skip),
                        rows.end());
    };
    likelihood ? append(output.likelihood) : append(output.states);
  }
}

std::vector<double> PrefixCache::result(const Held& held) const {
  if (stride_ == 0) return held.end;
  std::vector<double> sum(stride_, 0.0);
  for (std::size_t i = 0; i < held.trace.size(); ++i) sum[i % stride_] += held.trace[i];
  if (want_ == Want::states) {
    const auto count = static_cast<double>(std::max<std::size_t>(held.trace.size() / stride_, 1));
    for (double& x : sum) x /= count;
  }
  if (options_.reading == Reading::both && held.trace.size() >= stride_) {
    sum.insert(sum.begin(), held.trace.end() - static_cast<std::ptrdiff_t>(stride_),
               held.trace.end());
  }
  return sum;
}

// Makes trunk_ hold what all sequences share, but for the last token of the shortest: that one is
// evaluated with the sequence, of which something is wanted.
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
  Held trunk;
  if (!best->branch) {
    trunk.branch = Branch::open(*session_);
  } else if (fits) {
    trunk.branch = best->branch.fork();
    trunk.trace = best->trace;
  } else {
    trunk = std::move(*best);
    held_.clear();
  }
  trunk_ = std::move(trunk);
  trunk_.end.clear();
  extend_trunk(prefix, kept);
}

// Cuts trunk_ to the first `kept` tokens of the prefix and evaluates the others. A token before
// trace_from_ is only evaluated: nothing is read of it.
void PrefixCache::extend_trunk(std::span<const Token> prefix, std::size_t kept) {
  Branch& branch = trunk_.branch;
  const std::size_t known = kept > trace_from_ ? (kept - trace_from_) * stride_ : 0;
  trunk_.trace.resize(known);
  const std::size_t back = want_ == Want::likelihood ? 1 : 0;
  const std::size_t plain =
      stride_ == 0 ? prefix.size() : std::min(prefix.size(), trace_from_ - back);
  const std::size_t start = kept < prefix.size() && kept >= trace_from_ ? kept - back : kept;
  branch.truncate(start);
  const auto feed = [&](std::size_t begin, std::size_t end, Want want) {
    const std::array<Feed, 1> feeds{Feed{branch.id(), prefix.subspan(begin, end - begin), want}};
    return std::move(forward(feeds).front());
  };
  if (start < plain) feed(start, plain, Want::nothing);
  trunk_.tokens.assign(prefix.begin(), prefix.end());
  if (const std::size_t begin = std::max(start, plain); begin < prefix.size()) {
    Growth growth{{}, std::max(kept, plain), begin};
    growth.held.trace = std::move(trunk_.trace);
    take(growth, feed(begin, prefix.size(), want_));
    trunk_.trace = std::move(growth.held.trace);
  }
}

std::size_t PrefixCache::wave_size(Range sequences, std::size_t shared) const {
  const Capacity capacity = session_->capacity();
  if (want_ == Want::likelihood && shared > 0) --shared;  // the token before is evaluated again
  std::size_t cells = capacity.free_cells;
  std::size_t count = 0;
  while (count < sequences.size() && count < capacity.free_branches &&
         sequences[count].size() - shared <= cells) {
    cells -= sequences[count].size() - shared;
    ++count;
  }
  return std::max<std::size_t>(count, 1);  // one that does not fit gets the session's own error
}

std::vector<std::vector<double>> PrefixCache::wave(Range sequences) {
  std::vector<Growth> grown;
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
    grown.push_back(grow(*best, tokens, kept));
  }
  held_.clear();  // drops the branches that nobody continues
  std::vector<Feed> feeds;
  std::vector<Growth*> fed;
  for (Growth& growth : grown) {
    const std::span<const Token> tokens(growth.held.tokens);
    if (growth.start == tokens.size() || !growth.held.end.empty()) continue;
    feeds.push_back({growth.held.branch.id(), tokens.subspan(growth.start), want_});
    fed.push_back(&growth);
  }
  if (!feeds.empty()) {
    const std::vector<Output> outputs = forward(feeds);
    for (std::size_t i = 0; i < fed.size(); ++i) take(*fed[i], outputs[i]);
  }
  std::vector<std::vector<double>> out;
  for (Growth& growth : grown) {
    out.push_back(result(growth.held));
    held_.push_back(std::move(growth.held));
  }
  return out;
}

std::vector<std::vector<double>> PrefixCache::read(
    const std::vector<std::vector<Token>>& sequences) {
  std::vector<std::vector<double>> out;
  if (sequences.empty()) return out;
  hold_trunk(sequences);
  Range rest(sequences);
  // Where old and new branches do not fit side by side, the old ones go first.
  if (wave_size(rest, trunk_.tokens.size()) < rest.size()) held_.clear();
  while (!rest.empty()) {
    const std::size_t count = wave_size(rest, trunk_.tokens.size());
    for (auto& row : wave(rest.first(count))) out.push_back(std::move(row));
    rest = rest.subspan(count);
    if (!rest.empty()) held_.clear();
  }
  // Others who use the session need branches, too.
  if (options_.keep_only_trunk || session_->capacity().free_branches < kSpareBranches)
    held_.clear();
  return out;
}

}  // namespace tq
