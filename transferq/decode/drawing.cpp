#include "transferq/decode/drawing.hpp"

#include <algorithm>
#include <cmath>

#include "transferq/core/logspace.hpp"
#include "transferq/engine/model.hpp"
#include "transferq/rollout/rollout.hpp"

namespace tq {
namespace {

void release(Drawn& d) {
  d.branch = Branch();
  d.output = Output();
  d.fed = 0;
}

std::vector<Drawn*> pointers(std::span<Drawn> drawn) {
  std::vector<Drawn*> out;
  for (Drawn& d : drawn) out.push_back(&d);
  return out;
}

// log pi_ref(y) of tokens, evaluated on the reference's own stream.
double reference_logprob(Stream& reference, std::span<const Token> tokens) {
  double sum = 0;
  for (const Token token : tokens) {
    sum += log_softmax(reference.state().logits)[static_cast<std::size_t>(token)];
    reference.append(token);
  }
  return sum;
}

}  // namespace

Drawing::Drawing(const DecodeTask& task, Stream& stream, std::size_t before)
    : task_(task),
      stream_(stream),
      before_(before),
      hidden_(task.scorer->reads(stream)),
      logprobs_(&stream != &task.reference) {
  if (hidden_) stream.keep_trail();
}

std::vector<Drawn> Drawing::start(std::size_t count) {
  std::vector<Drawn> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i].index = static_cast<std::uint32_t>(i);
    if (hidden_) out[i].trail = stream_.trail();
  }
  return out;
}

Drawn Drawing::successor(const Drawn& parent, std::size_t index) const {
  Drawn out;
  out.index = static_cast<std::uint32_t>(index);
  out.attempt = parent.attempt;
  out.tokens = parent.tokens;
  out.done = parent.done;
  out.logprob = parent.logprob;
  out.trail = parent.trail;
  out.reward = parent.reward;
  if (parent.branch && stream_.session().capacity().free_branches > 0) {
    out.branch = parent.branch.fork();
    out.fed = parent.fed;
    out.output = parent.output;
  }
  return out;
}

// Puts a response on a branch of its own.
void Drawing::open(Drawn& d) {
  if (d.branch) return;
  d.branch = stream_.branch().fork();
  d.fed = 0;
  if (d.tokens.empty()) d.output = stream_.state();
}

void Drawing::add_token(Drawn& d) {
  RandomKey key = task_.key;
  key.step = static_cast<std::uint32_t>(before_ + d.tokens.size());
  key.candidate = d.index;
  key.sample = d.attempt;
  const std::size_t token = sample(d.output.logits, uniform(key));
  if (logprobs_) d.logprob += d.output.logits[token] - log_sum_exp(d.output.logits);
  d.tokens.push_back(static_cast<Token>(token));
  d.reward.reset();
  d.done = before_ + d.tokens.size() >= task_.max_tokens ||
           stream_.policy().model().is_end(static_cast<Token>(token));
}

// Evaluates all tokens of each that are not yet on its branch.
void Drawing::feed(std::span<Drawn* const> fed) {
  if (fed.empty()) return;
  std::vector<Feed> feeds;
  for (const Drawn* d : fed) {
    const Want want = d->done ? Want::nothing : Want::logits;
    feeds.push_back({d->branch.id(), std::span(d->tokens).subspan(d->fed),
                     hidden_ ? want | Want::hidden : want});
  }
  std::vector<Output> outputs = stream_.session().forward(feeds);
  for (std::size_t i = 0; i < fed.size(); ++i) {
    evaluations_ += feeds[i].tokens.size();
    // A token is fed as soon as it is drawn, or once more, and then its state is known.
    const std::size_t known = stream_.trail().length() + fed[i]->tokens.size();
    if (hidden_ && fed[i]->trail.length() < known) fed[i]->trail.append(outputs[i].hidden);
    fed[i]->fed = fed[i]->tokens.size();
    fed[i]->output = std::move(outputs[i]);
  }
}

// Puts each on a branch that holds all of its tokens.
void Drawing::catch_up(std::span<Drawn* const> drawn) {
  std::vector<Drawn*> behind;
  for (Drawn* d : drawn) {
    open(*d);
    if (d->fed < d->tokens.size()) behind.push_back(d);
  }
  feed(behind);
}

void Drawing::settle(std::span<Drawn> drawn) {
  std::vector<Drawn*> behind;
  std::size_t cells = stream_.session().capacity().free_cells;
  for (Drawn& d : drawn) {
    if (d.done || !d.branch || d.fed == d.tokens.size()) continue;
    const std::size_t missing = d.tokens.size() - d.fed;
    if (missing > cells && !behind.empty()) break;
    cells -= std::min(missing, cells);
    behind.push_back(&d);
  }
  feed(behind);
}

// Grows responses side by side.
void Drawing::advance(std::span<Drawn* const> growing, std::size_t length) {
  catch_up(growing);
  std::vector<Drawn*> left(growing.begin(), growing.end());
  while (!left.empty()) {
    check_stop(task_.stop);
    std::vector<Drawn*> fed;
    for (Drawn* d : left) {
      add_token(*d);
      const bool more = !d->done && d->tokens.size() < length;
      const bool state = hidden_ && !stream_.policy().model().is_end(d->tokens.back());
      if (more || state) fed.push_back(d);
    }
    feed(fed);
    for (Drawn* d : left) {
      if (d->done) release(*d);
    }
    std::erase_if(left, [&](const Drawn* d) { return d->done || d->tokens.size() >= length; });
  }
}

bool Drawing::fits(std::span<Drawn* const> growing, std::size_t length) const {
  const Capacity capacity = stream_.session().capacity();
  std::size_t branches = 0, cells = 0;
  for (const Drawn* d : growing) {
    branches += d->branch ? 0 : 1;
    cells += length - d->fed;
  }
  return branches <= capacity.free_branches && cells <= capacity.free_cells;
}

bool Drawing::fits_another() const {
  const Capacity capacity = stream_.session().capacity();
  return capacity.free_branches > 0 && capacity.free_cells >= task_.max_tokens - before_;
}

void Drawing::grow(std::span<Drawn> drawn, std::size_t length) {
  length = std::min(length, task_.max_tokens - before_);
  stream_.state();  // the prompt, before what is left of the memory is counted
  std::vector<Drawn*> growing = pointers(drawn);
  std::erase_if(growing, [&](const Drawn* d) { return d->done || d->tokens.size() >= length; });
  if (fits(growing, length)) return advance(growing, length);
  for (Drawn& d : drawn) release(d);
  for (std::span<Drawn*> rest = growing; !rest.empty();) {
    const Capacity capacity = stream_.session().capacity();
    const std::size_t turn = std::clamp<std::size_t>(
        std::min(capacity.free_branches, capacity.free_cells / length), 1, rest.size());
    advance(rest.first(turn), length);
    rest = rest.subspan(turn);
    if (rest.empty()) return;  // the last ones may stay
    for (Drawn& d : drawn) release(d);
  }
}

void Drawing::score(const Response& response, std::span<Drawn> drawn) {
  std::vector<Draft> drafts;
  std::vector<Drawn*> scored;
  for (Drawn& d : drawn) {
    if (d.reward) continue;
    drafts.push_back(response.draft(d.tokens));
    if (hidden_) drafts.back().trail = d.trail;
    scored.push_back(&d);
  }
  if (scored.empty()) return;
  const std::vector<double> rewards = task_.scorer->score(drafts);
  for (std::size_t i = 0; i < scored.size(); ++i) scored[i]->reward = rewards[i];
}

double Drawing::log_ratio(const Drawn& drawn) {
  return logprobs_ ? drawn.logprob - reference_logprob(task_.reference, drawn.tokens) : 0;
}

Decoded Drawing::answer(const Drawn& drawn, double kl, KlKind kind) {
  kl += log_ratio(drawn);
  Response response(task_);
  for (const Token token : drawn.tokens) response.add({{}, 0, token, "", token});
  Decoded out = response.decoded(kl, logprobs_ ? KlKind::estimate : kind);
  out.reward = drawn.reward;
  return out;
}

const Drawn& best_of(std::span<const Drawn> drawn) {
  return *std::max_element(drawn.begin(), drawn.end(),
                           [](const Drawn& a, const Drawn& b) { return *a.reward < *b.reward; });
}

double selection_bound(std::size_t samples) {
  const auto n = static_cast<double>(samples);
  return std::log(n) - (n - 1) / n;
}

}  // namespace tq
