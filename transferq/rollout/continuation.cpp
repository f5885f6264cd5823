#include "transferq/rollout/continuation.hpp"

#include <algorithm>

#include "transferq/core/error.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/engine/model.hpp"

namespace tq {
namespace {

// Branches of a large session that are left to whoever shares it, such as a reward.
std::size_t spare(const Capacity& capacity) { return capacity.branches > 16 ? 4 : 0; }

}  // namespace

void check_stop(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error(ErrorKind::interrupted, "interrupted");
}

struct Continuation::Growing {
  Rollout rollout;
  std::uint32_t sample = 0;
  Branch branch;
  const Output* last = nullptr;  // after the last evaluated token
  Output own;
  bool done = false;
};

Continuation::Continuation(ContinuationOptions options) : options_(options) {
  if (options_.greedy) options_.samples = 1;
}

// Whether a candidate gets a branch: one that ends the response does not, nor one that nobody looks
// at, which commit will evaluate.
bool Continuation::evaluates(const ExpandRequest& request, std::size_t candidate) const {
  const Model& model = request.trunk.session().model();
  if (!options_.past_end && model.is_end(request.candidates[candidate])) return false;
  return request.hidden || (request.room > 1 && options_.horizon > 0);
}

// How many candidates from this one on are done together: all, if they fit beside each other and a
// roll-out at a time; else as many as fit with all their roll-outs, but one at least.
std::size_t Continuation::group_size(const ExpandRequest& request, std::size_t from) const {
  const Capacity capacity = request.trunk.session().capacity();
  const std::size_t rest = request.candidates.size() - from;
  const std::size_t grown = std::min(options_.horizon, std::max<std::size_t>(request.room, 1) - 1);
  std::size_t fed = 0;
  for (std::size_t i = from; i < request.candidates.size(); ++i) fed += evaluates(request, i);
  const std::size_t free =
      capacity.free_branches - std::min(spare(capacity), capacity.free_branches);
  if (fed + (grown > 0) <= free && fed + grown <= capacity.free_cells) return rest;
  const std::size_t branches = grown > 0 ? 1 + options_.samples : 1;
  const std::size_t cells = 1 + options_.samples * grown;
  return std::clamp<std::size_t>(std::min(free / branches, capacity.free_cells / cells), 1, rest);
}

// Evaluates each candidate of a group on a branch of its own.
void Continuation::feed_candidates(const ExpandRequest& request, std::size_t from, std::size_t to,
                                   Expansion& expansion) const {
  Session& session = request.trunk.session();
  std::vector<Feed> feeds;
  std::vector<std::size_t> fed;
  for (std::size_t i = from; i < to; ++i) {
    if (!evaluates(request, i)) continue;
    expansion.branches[i] = request.trunk.fork();
    feeds.push_back({expansion.branches[i].id(), request.candidates.subspan(i, 1),
                     request.hidden ? Want::logits | Want::hidden : Want::logits});
    fed.push_back(i);
  }
  if (feeds.empty()) return;
  std::vector<Output> outputs = session.forward(feeds);
  expansion.evaluations += feeds.size();
  for (std::size_t i = 0; i < fed.size(); ++i) expansion.outputs[fed[i]] = std::move(outputs[i]);
}

Token Continuation::next(const ExpandRequest& request, const Growing& g,
                         const Output& output) const {
  if (options_.greedy) {
    return output.argmax != kNoToken ? output.argmax : static_cast<Token>(argmax(output.logits));
  }
  RandomKey key = request.key;
  key.candidate = static_cast<std::uint32_t>(request.candidates[g.rollout.candidate]);
  key.sample = g.sample;
  key.position = static_cast<std::uint32_t>(g.rollout.tokens.size() + 1);
  return static_cast<Token>(sample(output.logits, uniform(key)));
}

// Grows a wave of roll-outs together, a token a time, until all are done.
void Continuation::grow(const ExpandRequest& request, std::span<Growing> wave,
                        Expansion& expansion) const {
  Session& session = request.trunk.session();
  const std::size_t depth = std::min(options_.horizon, request.room - 1);
  const Want more = options_.greedy ? Want::argmax : Want::logits;
  for (Growing& g : wave) {
    const std::size_t c = g.rollout.candidate;
    g.last = &expansion.outputs[c];
    g.rollout.hidden = g.last->hidden;
    g.done = !expansion.branches[c] || depth == 0;
    if (!g.done) g.branch = expansion.branches[c].fork();
  }
  for (std::size_t j = 1; j <= depth; ++j) {
    check_stop(request.stop);
    std::vector<Feed> feeds;
    std::vector<Growing*> fed;
    for (Growing& g : wave) {
      if (g.done) continue;
      const Token token = next(request, g, *g.last);
      g.rollout.tokens.push_back(token);
      const bool ended = session.model().is_end(token);
      g.done = ended || j == depth;
      if (ended || (g.done && !request.hidden)) continue;  // its state is not needed
      const Want want = g.done ? Want::hidden : request.hidden ? more | Want::hidden : more;
      feeds.push_back({g.branch.id(), std::span(&g.rollout.tokens.back(), 1), want});
      fed.push_back(&g);
    }
    if (feeds.empty()) continue;
    std::vector<Output> outputs = session.forward(feeds);
    expansion.evaluations += feeds.size();
    for (std::size_t i = 0; i < fed.size(); ++i) {
      fed[i]->own = std::move(outputs[i]);
      fed[i]->last = &fed[i]->own;
      if (request.hidden) fed[i]->rollout.hidden = fed[i]->own.hidden;
    }
  }
  for (Growing& g : wave) {
    g.branch = Branch();
    expansion.rollouts.push_back(std::move(g.rollout));
  }
}

// Rolls out a group's candidates, as many roll-outs at a time as fit.
void Continuation::roll_out(const ExpandRequest& request, std::size_t from, std::size_t to,
                            Expansion& expansion) const {
  std::vector<Growing> all;
  for (std::size_t c = from; c < to; ++c) {
    // Without a branch there is one way to go on: not at all.
    const std::size_t samples = expansion.branches[c] ? options_.samples : 1;
    for (std::size_t s = 0; s < samples; ++s) {
      all.push_back({{c, {}, 1.0 / static_cast<double>(samples), {}},
                     static_cast<std::uint32_t>(s),
                     {},
                     nullptr,
                     {},
                     false});
    }
  }
  const Capacity capacity = request.trunk.session().capacity();
  const std::size_t longest = std::max<std::size_t>(std::min(depth(), request.room), 1);
  const std::size_t wave =
      std::clamp<std::size_t>(std::min(capacity.free_branches, capacity.free_cells / longest), 1,
                              std::max<std::size_t>(all.size(), 1));
  for (std::size_t at = 0; at < all.size(); at += wave) {
    grow(request, std::span(all).subspan(at, std::min(wave, all.size() - at)), expansion);
  }
}

Expansion Continuation::expand(const ExpandRequest& request) const {
  Expansion expansion;
  expansion.branches.resize(request.candidates.size());
  expansion.outputs.resize(request.candidates.size());
  std::size_t last = 0;  // where the group before began
  for (std::size_t from = 0; from < request.candidates.size();) {
    for (; last < from; ++last) {  // it makes room for this one
      expansion.branches[last] = Branch();
      expansion.outputs[last] = Output();
    }
    check_stop(request.stop);
    const std::size_t to = from + group_size(request, from);
    feed_candidates(request, from, to, expansion);
    roll_out(request, from, to, expansion);
    from = to;
  }
  return expansion;
}

}  // namespace tq
