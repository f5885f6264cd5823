#include "transferq/decode/speculative_rejection.hpp"

#include <algorithm>
#include <cmath>

#include "transferq/core/logspace.hpp"
#include "transferq/decode/drawing.hpp"

namespace tq {
namespace {

// Takes the `count` of the lowest rewards out of those that are not done; the others keep their
// order.
void give_up(std::vector<Drawn>& drawn, std::size_t count) {
  std::vector<double> rewards;  // of those growing
  for (const Drawn& d : drawn) {
    if (!d.done) rewards.push_back(*d.reward);
  }
  std::vector<bool> kept(rewards.size(), false);
  for (const std::size_t i : top_k(rewards, rewards.size() - count)) kept[i] = true;
  std::vector<Drawn> left;
  std::size_t at = 0;
  for (Drawn& d : drawn) {
    if (d.done || kept[at++]) left.push_back(std::move(d));
  }
  drawn = std::move(left);
}

std::size_t count_growing(std::span<const Drawn> drawn) {
  return static_cast<std::size_t>(
      std::count_if(drawn.begin(), drawn.end(), [](const Drawn& d) { return !d.done; }));
}

}  // namespace

std::size_t given_up(std::size_t growing, double rate) {
  // A share such as 0.29 of 100 is 29, though its product is rounded to just below.
  const double share = std::floor(rate * static_cast<double>(growing) + 1e-9);
  return std::min(static_cast<std::size_t>(share), growing > 0 ? growing - 1 : 0);
}

Decoded SpeculativeRejectionDecoder::decode(const DecodeTask& task, Evaluations& spent) const {
  Drawing drawing(task, proposal_stream(task, options_.proposal));
  const Response empty(task);
  std::vector<Drawn> drawn = drawing.start(options_.samples);
  for (std::size_t length = options_.chunk; count_growing(drawn) > 0; length += options_.chunk) {
    drawing.grow(drawn, length);
    const std::size_t count = given_up(count_growing(drawn), options_.rate);
    if (count == 0) continue;
    drawing.score(empty, drawn);
    give_up(drawn, count);
  }
  spent.policy += drawing.evaluations();
  drawing.score(empty, drawn);
  return drawing.answer(best_of(drawn), selection_bound(options_.samples), KlKind::bound);
}

Workload SpeculativeRejectionDecoder::workload(std::size_t max_tokens) const {
  // The most that the growing ones hold at once; as each decision halves them, say, and adds a
  // chunk, that is less than all of them at full length.
  std::size_t growing = options_.samples, most = 0;
  for (std::size_t length = 0; length < max_tokens;) {
    length += std::min(options_.chunk, max_tokens - length);
    most = std::max(most, growing * length);
    growing -= given_up(growing, options_.rate);
  }
  const std::size_t each = (most + options_.samples - 1) / options_.samples;
  return {max_tokens, options_.samples, std::min(std::max<std::size_t>(each, 1), max_tokens)};
}

}  // namespace tq
