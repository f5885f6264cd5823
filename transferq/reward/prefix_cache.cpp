#include "transferq/reward/prefix_cache.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <numeric>

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
    case Reading::states:
      return Want::states;
    case Reading::likelihood:
      return Want::likelihood;
    default:
      return Want::logits;
  }
}

double log_probability(std::span<const double> logits, Token token) {
  return logits[static_cast<std::size_t>(token)] - log_sum_exp(logits);
}

}  // namespace

struct PrefixCache::Growth {
  Held held;              // its branch and trace end at `start` and `kept`
  std::size_t kept = 0;   // tokens whose trace is known
  std::size_t start = 0;  // the first token to be evaluated; all of them: nothing is
  bool stem = false;      // nobody asks what was read after its last token
};

// Where a sequence of a wave goes on from: the longest prefix of it that is held.
struct PrefixCache::Root {
  std::size_t sequence;
  Held* parent;
  std::size_t kept;  // tokens they have in common
};

// What is evaluated in one go: the rest of a sequence, or a stem, the tokens that several sequences
// have in common behind what is held.
struct PrefixCache::Sprout {
  std::vector<Root> of;  // one: the sequence itself
  std::size_t length;    // the tokens of the sequences that it has
  bool stem() const { return of.size() > 1; }
};

PrefixCache::PrefixCache(Session& session, PrefixCacheOptions options, Branch held,
                         std::size_t shared)
    : session_(&session), options_(std::move(options)), want_(want_of(options_.reading)) {
  const bool likelihood = options_.reading == Reading::likelihood;
  if (want_ == Want::states) stride_ = session.model().hidden_size();
  if (likelihood) stride_ = 1;
  // Nothing comes before the first token, so it has no likelihood.
  trace_from_ = likelihood ? std::max<std::size_t>(options_.from, 1) : options_.from;
  if (!held) return;
  // Nothing was read of its tokens.
  if (stride_ > 0) held.truncate(std::min(held.length(), trace_from_ - (likelihood ? 1 : 0)));
  trunk_.tokens = session.tokens(held.id());
  trunk_.branch = std::move(held);
  evaluations_ = trunk_.tokens.size() - std::min(shared, trunk_.tokens.size());
}

std::vector<Output> PrefixCache::forward(std::span<const Feed> feeds) {
  std::vector<Output> outputs = session_->forward(feeds);
  for (const Feed& feed : feeds) evaluations_ += feed.tokens.size();
  return outputs;
}

// A fork of `parent`, whose first `kept` tokens are the sequence's, ready to be fed the rest; or
// the parent's own branch, when it is needed no more.
PrefixCache::Growth PrefixCache::grow(Held& parent, std::vector<Token> tokens, std::size_t kept,
                                      bool take_over) const {
  Growth growth{
      {take_over ? std::move(parent.branch) : parent.branch.fork(), {}, {}, {}}, kept, kept};
  if (stride_ == 0) {
    if (kept == tokens.size() && parent.tokens.size() == kept && !parent.end.empty()) {
      growth.held.end = parent.end;  // read before
      growth.held.tokens = std::move(tokens);
      return growth;
    }
    growth.start = std::min(kept, tokens.size() - 1);
  } else {
    const std::size_t known = kept > trace_from_ ? (kept - trace_from_) * stride_ : 0;
    growth.held.trace.assign(parent.trace.begin(),
                             parent.trace.begin() + static_cast<std::ptrdiff_t>(known));
    // The likelihood of the first new token follows from the one before.
    if (want_ == Want::likelihood && kept < tokens.size() && kept >= trace_from_) {
      if (parent.tokens.size() == kept && !parent.logits.empty()) {
        growth.held.trace.push_back(log_probability(parent.logits, tokens[kept]));
        ++growth.kept;
      } else {
        growth.start = kept - 1;
      }
    }
  }
  growth.held.branch.truncate(growth.start);
  growth.held.tokens = std::move(tokens);
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
    held.logits = output.logits;
  }
}

std::vector<double> PrefixCache::result(const Held& held) const {
  if (stride_ == 0) return held.end;
  if (want_ == Want::states) return held.trace;
  return {std::accumulate(held.trace.begin(), held.trace.end(), 0.0)};
}

// Makes trunk_ hold what all sequences share, but for the last token of the shortest: that one is
// evaluated with the sequence, of which something is wanted. A single sequence
// shares nothing and is evaluated in one go: trunk_ is then what is held of it, unless tokens of
// which nothing is read come first.
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
  trunk_.logits.clear();
  const std::size_t unread = trace_from_ - (want_ == Want::likelihood ? 1 : 0);
  if (sequences.size() == 1 && (stride_ == 0 || kept >= unread)) {
    cut_trunk(prefix.first(kept));
  } else {
    extend_trunk(prefix, kept);
  }
}

// Cuts trunk_ to these tokens, which it holds.
void PrefixCache::cut_trunk(std::span<const Token> prefix) {
  const std::size_t length = prefix.size();
  trunk_.branch.truncate(length);
  trunk_.tokens.assign(prefix.begin(), prefix.end());
  trunk_.trace.resize(length > trace_from_ ? (length - trace_from_) * stride_ : 0);
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
  // A likelihood needs what the token before has to say of the next: of the prefix's own tokens,
  // and, when all of them are held, of those that follow it.
  const std::size_t start = !prefix.empty() && kept >= trace_from_ ? kept - back : kept;
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
    take(growth, feed(begin, prefix.size(), want_of_stem()));
    trunk_.trace = std::move(growth.held.trace);
    trunk_.logits = std::move(growth.held.logits);
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

std::vector<PrefixCache::Root> PrefixCache::roots(Range sequences) {
  std::vector<Root> out;
  for (const auto& tokens : sequences) {
    Root root{out.size(), &trunk_, trunk_.tokens.size()};
    for (Held& held : held_) {
      if (const std::size_t n = common(held.tokens, tokens); n > root.kept) {
        root.kept = n;
        root.parent = &held;
      }
    }
    out.push_back(root);
  }
  return out;
}

// Those that go on in the same way become one stem, up to where they part or one of them ends; the
// others go on by themselves.
std::vector<PrefixCache::Sprout> PrefixCache::sprouts(Range sequences,
                                                      const std::vector<Root>& roots) const {
  std::vector<std::vector<Root>> groups;
  for (const Root& root : roots) {
    const auto& tokens = sequences[root.sequence];
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const auto& group) {
      const Root& first = group.front();
      const auto& others = sequences[first.sequence];
      return first.parent == root.parent && first.kept == root.kept && root.kept < tokens.size() &&
             root.kept < others.size() && tokens[root.kept] == others[root.kept];
    });
    same == groups.end() ? groups.push_back({root}) : same->push_back(root);
  }
  std::vector<Sprout> out;
  for (std::vector<Root>& group : groups) {
    const auto& first = sequences[group.front().sequence];
    std::size_t length = first.size();
    for (const Root& root : group) {
      const auto& tokens = sequences[root.sequence];
      length = std::min({length, common(first, tokens), tokens.size() - 1});
    }
    if (group.size() > 1 && length > group.front().kept) {
      out.push_back({std::move(group), length});
    } else {
      for (const Root& root : group) out.push_back({{root}, sequences[root.sequence].size()});
    }
  }
  return out;
}

// What is read of tokens that several sequences have in common.
Want PrefixCache::want_of_stem() const {
  if (stride_ == 0) return Want::nothing;
  return want_ == Want::likelihood ? want_ | Want::logits : want_;
}

// Evaluates what growths still lack.
void PrefixCache::evaluate(std::span<Growth* const> growths) {
  std::vector<Feed> feeds;
  std::vector<Growth*> fed;
  for (Growth* growth : growths) {
    const std::span<const Token> tokens(growth->held.tokens);
    if (growth->start == tokens.size() || !growth->held.end.empty()) continue;
    const Want want = growth->stem ? want_of_stem() : want_;
    feeds.push_back({growth->held.branch.id(), tokens.subspan(growth->start), want});
    fed.push_back(growth);
  }
  if (feeds.empty()) return;
  const std::vector<Output> outputs = forward(feeds);
  for (std::size_t i = 0; i < fed.size(); ++i) {
    if (feeds[i].want != Want::nothing) take(*fed[i], outputs[i]);
  }
}

// Sequences that fit side by side. They grow as a tree does, from what is held: in each round the
// stems that several share and the sequences that go on alone, then what grows from those stems.
std::vector<std::vector<double>> PrefixCache::wave(Range sequences) {
  std::vector<Growth> grown(sequences.size());
  std::vector<std::unique_ptr<Growth>> parents;  // the stems of the round before
  std::vector<Root> open = roots(sequences);
  while (!open.empty()) {
    const std::vector<Sprout> round = sprouts(sequences, open);
    std::map<const Held*, std::size_t> users;
    for (const Sprout& sprout : round) ++users[sprout.of.front().parent];
    std::vector<std::unique_ptr<Growth>> stems;
    std::vector<Growth*> growths;
    open.clear();
    for (const Sprout& sprout : round) {
      const Root& first = sprout.of.front();
      const auto tokens = sequences[first.sequence].begin();
      const bool last = --users[first.parent] == 0;
      Growth growth =
          grow(*first.parent, {tokens, tokens + static_cast<std::ptrdiff_t>(sprout.length)},
               first.kept, last && !parents.empty());
      growth.stem = sprout.stem();
      if (growth.stem) {
        stems.push_back(std::make_unique<Growth>(std::move(growth)));
        growths.push_back(stems.back().get());
        for (const Root& root : sprout.of) {
          open.push_back({root.sequence, &stems.back()->held, sprout.length});
        }
      } else {
        grown[first.sequence] = std::move(growth);
        growths.push_back(&grown[first.sequence]);
      }
    }
    held_.clear();  // drops the branches that nobody continues
    evaluate(growths);
    parents = std::move(stems);
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
  std::vector<std::vector<Token>> different;
  std::vector<std::size_t> which;  // of the different ones each sequence is
  std::map<std::vector<Token>, std::size_t> seen;
  for (const auto& tokens : sequences) {
    const auto [at, fresh] = seen.emplace(tokens, different.size());
    if (fresh) different.push_back(tokens);
    which.push_back(at->second);
  }
  std::vector<std::vector<double>> rows = read_different(different);
  if (rows.size() == sequences.size()) return rows;
  std::vector<std::vector<double>> out;
  for (const std::size_t i : which) out.push_back(rows[i]);
  return out;
}

std::vector<std::vector<double>> PrefixCache::read_different(Range sequences) {
  std::vector<std::vector<double>> out;
  if (sequences.empty()) return out;
  hold_trunk(sequences);
  Range rest = sequences;
  // Where old and new branches do not fit side by side, the old ones go first.
  if (wave_size(rest, trunk_.tokens.size()) < rest.size()) held_.clear();
  while (!rest.empty()) {
    const std::size_t count = wave_size(rest, trunk_.tokens.size());
    for (auto& row : wave(rest.first(count))) out.push_back(std::move(row));
    rest = rest.subspan(count);
    if (!rest.empty()) held_.clear();
  }
  // Others who use the session need branches, too.
  if (options_.keep_only_trunk || session_->capacity().free_branches < kSpareBranches) {
    if (sequences.size() == 1) trunk_ = std::move(held_.front());
    held_.clear();
  }
  return out;
}

}  // namespace tq
