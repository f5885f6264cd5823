#include "transferq/decode/best_of.hpp"

#include <algorithm>

#include "transferq/decode/drawing.hpp"

namespace tq {

Decoded BestOfDecoder::decode(const DecodeTask& task, Evaluations& spent) const {
  Drawing drawing(task, proposal_stream(task, proposal_));
  std::vector<Drawn> drawn = drawing.start(samples_);
  drawing.grow(drawn, task.max_tokens);
  spent.policy += drawing.evaluations();
  drawing.score(Response(task), drawn);
  return drawing.answer(best_of(drawn), selection_bound(samples_), KlKind::bound);
}

}  // namespace tq
