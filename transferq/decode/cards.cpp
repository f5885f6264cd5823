#include "transferq/decode/cards.hpp"

#include <algorithm>
#include <cmath>

#include "transferq/core/logspace.hpp"
#include "transferq/decode/drawing.hpp"

namespace tq {
namespace {

double harmonic(std::size_t n) {
  double sum = 0;
  for (std::size_t k = 1; k <= n; ++k) sum += 1.0 / static_cast<double>(k);
  return sum;
}

// Draws a segment: to where the next token is unsure, or to the end of the response.
void draw_segment(Drawing& drawing, Drawn& d, double unsure) {
  const std::span<Drawn> one(&d, 1);
  do {
    drawing.grow(one, d.tokens.size() + 1);
    drawing.settle(one);
  } while (!d.done && entropy(d.output.logits) < unsure);
}

struct Segment {
  Drawn drawn;
  double kl = 0;  // to the policy that drew it
};

// Tries until a segment is accepted, or takes the best one.
Segment try_segments(Drawing& drawing, const DecodeTask& task, const Response& response,
                     const CardsOptions& options, double empty, std::uint32_t number) {
  Drawn best;
  for (std::size_t n = 1; n <= options.tries; ++n) {
    Drawn d = std::move(drawing.start(1).front());
    d.index = number;
    d.attempt = static_cast<std::uint32_t>(n - 1);
    if (!drawing.fits_another()) best.branch = Branch();  // it is evaluated again if it is taken
    draw_segment(drawing, d, options.entropy);
    drawing.score(response, std::span(&d, 1));
    const std::size_t tokens = response.size() + d.tokens.size();
    const double accept = log_acceptance(
        *d.reward, threshold_at(options, empty, tokens, task.max_tokens), options.beta);
    RandomKey key = task.key;
    key.step = static_cast<std::uint32_t>(response.size());
    key.candidate = number;
    key.sample = d.attempt;
    key.position = 1;  // the draws of tokens have position 0
    if (uniform(key) < std::exp(accept)) {
      // One try leaves no choice, so no KL.
      return {std::move(d), options.tries == 1 ? 0 : accept + harmonic(n - 1)};
    }
    if (!best.reward || *d.reward > *best.reward) best = std::move(d);
  }
  return {std::move(best), selection_bound(options.tries)};
}

// Makes a segment part of what the stream holds, without evaluating it again.
void commit(Stream& stream, Drawn& segment) {
  if (segment.branch) {
    const std::size_t fed = segment.fed;
    Trail trail = segment.trail.first(stream.trail().length() + fed);
    stream.adopt(std::move(segment.branch), std::move(segment.output), std::move(trail));
    for (std::size_t i = fed; i < segment.tokens.size(); ++i) stream.append(segment.tokens[i]);
  } else {
    for (const Token token : segment.tokens) stream.append(token);
  }
}

// r(x, ""), where the threshold depends on it.
double reward_of_nothing(Drawing& drawing, const Response& response, const CardsOptions& options) {
  if (options.start >= 1) return 0;
  std::vector<Drawn> nothing = drawing.start(1);
  drawing.score(response, nothing);
  return *nothing.front().reward;
}

}  // namespace

double log_acceptance(double reward, double threshold, double beta) {
  if (std::isinf(beta)) return 0;
  return std::min(0.0, (reward - threshold) / beta);
}

double threshold_at(const CardsOptions& options, double empty, std::size_t tokens,
                    std::size_t max_tokens) {
  if (options.start >= 1) return options.target;
  const double first = (1 - options.start) * empty + options.start * options.target;
  const double grown = static_cast<double>(tokens) / static_cast<double>(max_tokens);
  return std::min(options.target, first + (options.target - first) * std::min(1.0, grown));
}

Decoded CardsDecoder::decode(const DecodeTask& task, Evaluations& spent) const {
  Stream& stream = proposal_stream(task, options_.proposal);
  Response response(task);
  double empty = 0, kl = 0;
  std::optional<double> reward;
  for (std::uint32_t number = 0; response.open(); ++number) {
    Drawing drawing(task, stream, response.size());
    if (number == 0) empty = reward_of_nothing(drawing, response, options_);
    Segment segment = try_segments(drawing, task, response, options_, empty, number);
    kl += segment.kl + drawing.log_ratio(segment.drawn);
    reward = segment.drawn.reward;
    for (const Token token : segment.drawn.tokens) response.add({{}, 0, token, "", token});
    if (response.open()) commit(stream, segment.drawn);
    spent.policy += drawing.evaluations();
  }
  Decoded out = response.decoded(kl, KlKind::estimate);
  out.reward = reward;
  return out;
}

}  // namespace tq
