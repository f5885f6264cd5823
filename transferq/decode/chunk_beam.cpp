#include "transferq/decode/chunk_beam.hpp"

#include <algorithm>
#include <cmath>

#include "transferq/core/logspace.hpp"
#include "transferq/decode/drawing.hpp"

namespace tq {
namespace {

// The `width` of the highest rewards, best first.
std::vector<Drawn> best(std::vector<Drawn> slots, std::size_t width) {
  std::vector<double> rewards;
  for (const Drawn& d : slots) rewards.push_back(*d.reward);
  std::vector<Drawn> kept;
  for (const std::size_t i : top_k(rewards, width)) kept.push_back(std::move(slots[i]));
  return kept;
}

std::size_t divide_up(std::size_t a, std::size_t b) { return a / b + (a % b > 0 ? 1 : 0); }

}  // namespace

Decoded ChunkBeamDecoder::decode(const DecodeTask& task, Evaluations& spent) const {
  Drawing drawing(task, proposal_stream(task, options_.proposal));
  const Response empty(task);
  std::vector<Drawn> beams = drawing.start(options_.beams);
  const auto growing = [](const Drawn& d) { return !d.done; };
  for (std::size_t length = options_.chunk; std::any_of(beams.begin(), beams.end(), growing);
       length += options_.chunk) {
    std::vector<Drawn> slots;
    for (std::size_t b = 0; b < beams.size(); ++b) {
      const std::size_t successors = beams[b].done ? 1 : options_.successors;
      for (std::size_t j = 0; j < successors; ++j) {
        slots.push_back(drawing.successor(beams[b], b * options_.successors + j));
      }
      beams[b] = Drawn();  // its branch makes room
    }
    drawing.grow(slots, length);
    drawing.score(empty, slots);
    beams = best(std::move(slots), options_.beams);
    drawing.settle(beams);  // once for all successors
  }
  spent.policy += drawing.evaluations();
  const Drawn& chosen = beams.front();
  return drawing.answer(chosen, kl_bound(chosen.tokens.size()), KlKind::bound);
}

double ChunkBeamDecoder::kl_bound(std::size_t tokens) const {
  const auto c = static_cast<double>(divide_up(tokens, options_.chunk));
  if (options_.beams == 1) return c * selection_bound(options_.successors);
  return std::log(static_cast<double>(options_.beams)) +
         c * std::log(static_cast<double>(options_.successors));
}

// W beams of full length, shared by their successors, and each successor's chunk; twice that, for a
// reward that holds the chunks of the step before beside the new ones.
Workload ChunkBeamDecoder::workload(std::size_t max_tokens) const {
  const std::size_t width = options_.beams * options_.successors;
  const std::size_t shared = divide_up(max_tokens, options_.successors);
  const std::size_t chunk = std::min(options_.chunk, max_tokens);
  return {max_tokens, width, std::min(max_tokens, shared + 2 * chunk)};
}

}  // namespace tq
