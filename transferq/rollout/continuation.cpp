#include "transferq/rollout/continuation.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/engine/model.hpp"
#include "transferq/rollout/blocks.hpp"

namespace tq {
namespace {

// Branches of a large session that are left to whoever shares it, such as a reward.
std::size_t spare(const Capacity& capacity) { return capacity.branches > 16 ? 4 : 0; }

}  // namespace

void check_stop(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error(ErrorKind::interrupted, "interrupted");
}

// A roll-out on its way. As long as it has drawn the same tokens as an earlier one of its
// candidate, it rides on that one's branch, and nothing is evaluated for it.
struct Continuation::Growing {
  Rollout rollout;
  std::uint32_t sample = 0;
  Branch branch;                       // its own; none while it rides
  Growing* lead = nullptr;             // whose branch holds its tokens: itself, or an earlier one
  std::size_t evaluated = 0;           // of its tokens
  std::shared_ptr<const Output> last;  // after the last evaluated token
  std::shared_ptr<const Output> kept;  // after the last token that may be committed, once more than
                                       // that are evaluated
  bool done = false;
};

Continuation::Continuation(ContinuationOptions options) : options_(options) {
  if (options_.greedy) options_.samples = 1;
}

// Tokens of a roll-out behind its candidate.
std::size_t Continuation::grown(const ExpandRequest& request) const {
  return std::min(options_.horizon, request.room - block_length(options_.block, request.room));
}

// Whether anybody needs to know what follows a candidate.
bool Continuation::looks_behind(const ExpandRequest& request) const {
  return request.hidden || request.candidate_states || grown(request) > 0;
}

// Whether a candidate gets a branch: one that ends the response does not, nor one that nobody looks
// at, which commit will evaluate.
bool Continuation::evaluates(const ExpandRequest& request, std::size_t candidate) const {
  const Model& model = request.trunk.session().model();
  if (!options_.past_end && model.is_end(request.candidates[candidate])) return false;
  return looks_behind(request) || block_length(options_.block, request.room) > 1;
}

// Whether roll-outs may go on at the next step: each is the only one of its candidate.
bool Continuation::looks_ahead(const ExpandRequest& request) const {
  return request.ahead != nullptr && options_.greedy && options_.block == 1;
}

// Whether the branches of these roll-outs, up to `keep` tokens of each, may stay until one of them
// is committed.
bool Continuation::spares(const ExpandRequest& request, std::span<const Growing> wave,
                          std::size_t keep) const {
  std::size_t cells = 0;
  for (const Growing& g : wave) cells += keep - std::min(keep, g.evaluated);
  const Capacity capacity = request.trunk.session().capacity();
  return keep > 0 && wave.size() <= capacity.free_branches / 2 && cells <= capacity.free_cells / 2;
}

// Begins with what is known of a candidate's roll-out, if more than the candidate is.
void Continuation::take_up(const ExpandRequest& request, Growing& g) const {
  if (!looks_ahead(request) || !request.ahead->has_value()) return;
  Ahead& known = **request.ahead;
  const std::size_t c = g.rollout.candidate;
  if (known.evaluated < 2 || known.tokens.front() != request.candidates[c] ||
      known.tokens.size() - 1 > grown(request)) {
    return;
  }
  g.rollout.tokens.assign(known.tokens.begin() + 1, known.tokens.end());
  if (!known.logprobs.empty()) {
    g.rollout.logprobs.assign(known.logprobs.begin() + 1, known.logprobs.end());
  }
  g.rollout.trail = std::move(known.trail);
  g.branch = std::move(known.branch);
  g.evaluated = known.evaluated - 1;
  g.last = std::move(known.last);
  request.ahead->reset();
}

// How many candidates from this one on are done together: all, if they fit beside each other and a
// roll-out at a time; else as many as fit with all their roll-outs, but one at least.
std::size_t Continuation::group_size(const ExpandRequest& request, std::size_t from) const {
  const Capacity capacity = request.trunk.session().capacity();
  const std::size_t rest = request.candidates.size() - from;
  const std::size_t depth = grown(request);
  const std::size_t length = block_length(options_.block, request.room);
  std::size_t fed = 0;
  for (std::size_t i = from; i < request.candidates.size(); ++i) fed += evaluates(request, i);
  const std::size_t free =
      capacity.free_branches - std::min(spare(capacity), capacity.free_branches);
  if (fed + (depth > 0) <= free && fed * length + depth <= capacity.free_cells) return rest;
  const std::size_t branches = depth > 0 ? 1 + options_.samples : 1;
  const std::size_t cells = length + options_.samples * depth;
  return std::clamp<std::size_t>(std::min(free / branches, capacity.free_cells / cells), 1, rest);
}

// Evaluates each candidate of a group on a branch of its own.
void Continuation::feed_candidates(const ExpandRequest& request, std::size_t from, std::size_t to,
                                   Expansion& expansion) const {
  Session& session = request.trunk.session();
  std::vector<Feed> feeds;
  std::vector<std::size_t> fed;
  const bool states = request.hidden || request.candidate_states;
  for (std::size_t i = from; i < to; ++i) {
    if (!evaluates(request, i)) continue;
    expansion.branches[i] = request.trunk.fork();
    feeds.push_back({expansion.branches[i].id(), request.candidates.subspan(i, 1),
                     states ? Want::logits | Want::hidden : Want::logits});
    fed.push_back(i);
  }
  if (feeds.empty()) return;
  std::vector<Output> outputs = session.forward(feeds);
  expansion.evaluations += feeds.size();
  for (std::size_t i = 0; i < fed.size(); ++i) {
    if (states) {
      expansion.trails[fed[i]] = request.trail;
      expansion.trails[fed[i]].append(outputs[i].hidden);
    }
    expansion.outputs[fed[i]] = std::move(outputs[i]);
  }
}

// Whether the log-probability of a roll-out's token behind this many others is wanted: where it may
// be committed, now or at a later step.
bool Continuation::reads_logprobs(const ExpandRequest& request, std::size_t position) const {
  return request.logprobs && request.keep > 0 && (looks_ahead(request) || position < request.keep);
}

Token Continuation::next(const ExpandRequest& request, const Growing& g) const {
  const Output& output = *g.last;
  if (options_.greedy) {
    return output.argmax != kNoToken ? output.argmax : static_cast<Token>(argmax(output.logits));
  }
  RandomKey key = request.key;
  const std::size_t c = g.rollout.candidate;  // two blocks may begin with the same token
  key.candidate = static_cast<std::uint32_t>(
      options_.block > 1 ? c : static_cast<std::size_t>(request.candidates[c]));
  key.sample = g.sample;
  key.position = static_cast<std::uint32_t>(g.rollout.tokens.size() + 1);
  return static_cast<Token>(sample(output.logits, uniform(key)));
}

// What is needed behind a roll-out's token at a position, the first being 1, of `depth` in all.
Want Continuation::wanted(const ExpandRequest& request, std::size_t position,
                          std::size_t depth) const {
  Want want = request.hidden ? Want::hidden : Want::nothing;
  if (position < depth || looks_ahead(request)) {
    const bool logprobs = reads_logprobs(request, position);
    want = want | (options_.greedy && !logprobs ? Want::argmax : Want::logits);
  }
  return position == std::min(request.keep, depth) ? want | Want::logits : want;
}

// Puts each of a wave's roll-outs behind its candidate.
void Continuation::begin(const ExpandRequest& request, std::span<Growing> wave,
                         const Expansion& expansion) const {
  Growing* lead = nullptr;
  for (Growing& g : wave) {
    const std::size_t c = g.rollout.candidate;
    const bool ended = !expansion.blocks.empty() && expansion.blocks[c].ended;
    g.done = !expansion.branches[c] || ended || grown(request) == 0;
    if (g.evaluated > 0) {  // it was taken up
      g.done = request.trunk.session().model().is_end(g.rollout.tokens.back());
      g.lead = &g;
      continue;
    }
    g.rollout.trail = expansion.trails[c];
    if (g.done) continue;
    if (lead == nullptr || lead->rollout.candidate != c) {
      lead = &g;
      g.branch = expansion.branches[c].fork();
    }
    g.lead = lead;
    g.last = {std::shared_ptr<void>(), &expansion.outputs[c]};  // which outlives the wave
  }
}

// Draws the next token of all that go on, the one at position j, where it isn't known. Returns
// those of them behind whose token somebody looks; the first of those that drew the same leads the
// others.
std::vector<Continuation::Growing*> Continuation::draw(const ExpandRequest& request,
                                                       std::span<Growing> wave,
                                                       std::size_t j) const {
  const Model& model = request.trunk.session().model();
  std::vector<Growing*> going;
  std::map<std::pair<const Growing*, Token>, Growing*> leads;
  for (Growing& g : wave) {
    if (g.done || g.evaluated >= j) continue;
    if (g.rollout.tokens.size() < j) {
      const Token drawn = next(request, g);
      if (reads_logprobs(request, j - 1)) {
        const std::vector<double>& logits = g.last->logits;
        g.rollout.logprobs.push_back(logits[static_cast<std::size_t>(drawn)] - log_sum_exp(logits));
      }
      g.rollout.tokens.push_back(drawn);
    }
    const Token token = g.rollout.tokens.back();
    const bool ended = model.is_end(token);
    g.done = ended || j == grown(request);
    if (ended || (g.done && !request.hidden)) continue;  // its state is not needed
    Growing*& lead = leads[{g.lead, token}];
    if (lead == nullptr) {
      lead = &g;
      if (!g.branch) g.branch = g.lead->branch.fork();
    }
    g.lead = lead;
    going.push_back(&g);
  }
  return going;
}

// The roll-out as it was when it had `length` tokens: one that was taken up knows more.
Rollout Continuation::cut(const Growing& g, std::size_t length, const Expansion& expansion) {
  Rollout out = g.rollout;
  if (out.tokens.size() <= length) return out;
  out.tokens.resize(length);
  if (out.logprobs.size() > length) out.logprobs.resize(length);
  const Trail& candidate = expansion.trails[out.candidate];
  out.trail = length == 0 ? candidate : out.trail.first(candidate.length() + length);
  return out;
}

// Where it is time to ask, stops the roll-outs of candidates that do not go on, at `length` tokens.
void Continuation::cull(const ExpandRequest& request, std::span<Growing> wave, std::size_t length,
                        const Expansion& expansion) const {
  const std::vector<std::size_t>& at = request.culling->at;
  if (std::find(at.begin(), at.end(), length) == at.end()) return;
  std::vector<Rollout> so_far;
  std::vector<bool> open(request.candidates.size(), false);
  for (const Growing& g : wave) {
    so_far.push_back(cut(g, length, expansion));
    if (!g.done || g.rollout.tokens.size() > length) open[g.rollout.candidate] = true;
  }
  const std::vector<bool> survives = request.culling->survivors(so_far, open);
  for (std::size_t i = 0; i < wave.size(); ++i) {
    Growing& g = wave[i];
    if (survives[g.rollout.candidate]) continue;
    g.rollout = std::move(so_far[i]);
    g.done = true;
  }
}

// Grows a wave of roll-outs together, a token a time, until all are done. Of their branches, `keep`
// tokens are kept. `whole`: these are all there are.
void Continuation::grow(const ExpandRequest& request, std::span<Growing> wave, std::size_t keep,
                        bool whole, Expansion& expansion) const {
  const std::size_t depth = grown(request);
  begin(request, wave, expansion);
  for (std::size_t j = 1; j <= depth; ++j) {
    check_stop(request.stop);
    if (request.culling != nullptr && whole) cull(request, wave, j - 1, expansion);
    const std::vector<Growing*> going = draw(request, wave, j);
    std::vector<Feed> feeds;
    std::vector<Growing*> fed;
    for (Growing* g : going) {
      if (g->lead != g) continue;
      feeds.push_back(
          {g->branch.id(), std::span(&g->rollout.tokens.back(), 1), wanted(request, j, depth)});
      fed.push_back(g);
    }
    if (feeds.empty()) continue;
    std::vector<Output> outputs = request.trunk.session().forward(feeds);
    expansion.evaluations += feeds.size();
    for (Growing* g : going) {
      if (keep > 0 && j == request.keep + 1) g->kept = std::move(g->last);
      ++g->evaluated;
    }
    for (std::size_t i = 0; i < fed.size(); ++i) {
      fed[i]->last = std::make_shared<const Output>(std::move(outputs[i]));
    }
    for (Growing* g : going) {
      g->last = g->lead->last;
      if (!request.hidden) continue;
      g->lead == g ? g->rollout.trail.append(g->last->hidden)
                   : void(g->rollout.trail = g->lead->rollout.trail);  // the lead comes first
    }
  }
  if (request.keep > 0 || looks_ahead(request)) {
    const std::size_t first = expansion.kept.size();
    expansion.kept.resize(first + wave.size());
    for (std::size_t i = wave.size(); keep > 0 && i-- > 0;) {  // a lead is ahead of those that ride
      expansion.kept[first + i] = hand_back(request, wave[i], keep, expansion);
    }
  }
  for (Growing& g : wave) {
    g.branch = Branch();
    if (!request.hidden && !g.rollout.tokens.empty()) g.rollout.trail = {};  // the candidate's
    expansion.rollouts.push_back(std::move(g.rollout));
  }
}

// A grown roll-out's branch with the tokens that are kept, if any was evaluated.
Kept Continuation::hand_back(const ExpandRequest& request, Growing& g, std::size_t keep,
                             const Expansion& expansion) const {
  if (g.evaluated == 0) return {};
  Kept out;
  out.branch = g.branch ? std::move(g.branch) : g.lead->branch.fork();
  out.evaluated = std::min(g.evaluated, keep);
  const std::size_t base = expansion.branches[g.rollout.candidate].length();
  out.branch.truncate(base + out.evaluated);
  const std::shared_ptr<const Output>& at = g.evaluated > request.keep ? g.kept : g.last;
  if (at != nullptr && request.keep > 0) out.output = *at;
  if (looks_ahead(request) && out.evaluated == g.evaluated) {
    out.last = std::move(g.last);
  }
  return out;
}

// Rolls out a group's candidates, as many roll-outs at a time as fit.
void Continuation::roll_out(const ExpandRequest& request, std::size_t from, std::size_t to,
                            Expansion& expansion) const {
  std::vector<Growing> all;
  for (std::size_t c = from; c < to; ++c) {
    // Without a branch, behind the end, or with no room, there is one way to go on: not at all.
    const bool ended = !expansion.blocks.empty() && expansion.blocks[c].ended;
    const bool goes_on = expansion.branches[c] && !ended && grown(request) > 0;
    const std::size_t samples = goes_on ? options_.samples : 1;
    for (std::size_t s = 0; s < samples; ++s) {
      Growing& g = all.emplace_back();
      g.rollout.candidate = c;
      g.rollout.weight = 1.0 / static_cast<double>(samples);
      g.sample = static_cast<std::uint32_t>(s);
      if (goes_on) take_up(request, g);
    }
  }
  const Capacity capacity = request.trunk.session().capacity();
  const std::size_t longest = grown(request) + 1;
  const std::size_t wave =
      std::clamp<std::size_t>(std::min(capacity.free_branches, capacity.free_cells / longest), 1,
                              std::max<std::size_t>(all.size(), 1));
  std::size_t keep = 0;
  if (all.size() <= wave) {
    const std::size_t committed = std::min(request.keep, grown(request));
    for (const std::size_t wish : {looks_ahead(request) ? grown(request) : committed, committed}) {
      if (keep == 0 && spares(request, all, wish)) keep = wish;
    }
  }
  // Whoever culls may score while all branches are there.
  const bool whole = to - from == request.candidates.size() && all.size() <= wave &&
                     all.size() + spare(capacity) <= capacity.free_branches;
  for (std::size_t at = 0; at < all.size(); at += wave) {
    grow(request, std::span(all).subspan(at, std::min(wave, all.size() - at)), keep, whole,
         expansion);
  }
}

Expansion Continuation::expand(const ExpandRequest& request) const {
  Expansion expansion;
  expansion.branches.resize(request.candidates.size());
  expansion.outputs.resize(request.candidates.size());
  expansion.trails.resize(request.candidates.size());
  if (options_.block > 1) expansion.blocks.resize(request.candidates.size());
  if (looks_ahead(request) && group_size(request, 0) < request.candidates.size()) {
    request.ahead->reset();  // memory is short
  }
  std::size_t last = 0;  // where the group before began
  for (std::size_t from = 0; from < request.candidates.size();) {
    for (; last < from; ++last) {  // it makes room for this one
      expansion.branches[last] = Branch();
      expansion.outputs[last] = Output();
      expansion.trails[last] = Trail();
    }
    for (Kept& kept : expansion.kept) kept = Kept();
    check_stop(request.stop);
    const std::size_t to = from + group_size(request, from);
    feed_candidates(request, from, to, expansion);
    if (options_.block > 1) {
      grow_blocks(request, options_.block, looks_behind(request), from, to, expansion);
    }
    roll_out(request, from, to, expansion);
    from = to;
  }
  return expansion;
}

}  // namespace tq
