#include "transferq/decode/response.hpp"

#include <array>

#include "transferq/core/text.hpp"
#include "transferq/engine/model.hpp"
#include "transferq/value/importance.hpp"

namespace tq {

void Response::add(Step step) {
  const Model& model = task_.reference.policy().model();
  ended_ = model.is_end(step.token);
  tokens_.push_back(step.token);
  if (step.effective) effective_.push_back(*step.effective);
  if (!ended_) text_ += step.text = model.piece(step.token, false);
  if (task_.sink) task_.sink(step);
}

Draft Response::draft(std::span<const Token> more) const {
  const Model& model = task_.reference.policy().model();
  Draft draft{text_, tokens_, {}, false, ended_};
  for (const Token token : more) {
    draft.tokens.push_back(token);
    draft.ended = model.is_end(token);
    if (!draft.ended) draft.text += model.piece(token, false);
  }
  // Half a character is no text yet: a roll-out may stop inside one. What can't become one is
  // scored as it will be shown.
  draft.text.resize(complete_utf8(draft.text));
  draft.text = replace_invalid_utf8(draft.text);
  return draft;
}

Decoded Response::decoded(double kl, KlKind kind) const {
  return {tokens_, draft({}).text, ended_ ? Finish::stop : Finish::length, std::nullopt,
          kl,      kind,           effective_samples(effective_)};
}

Decoded Response::finish(Stream& stream, double kl, KlKind kind) const {
  Decoded out = decoded(kl, kind);
  if (task_.scorer != nullptr) {
    std::array<Draft, 1> drafts{draft({})};
    if (task_.scorer->reads(stream)) {
      drafts[0].trail = stream.trail();
      if (drafts[0].trail.empty())
        drafts[0].trail.append(stream.state().hidden);  // enough for some
    }
    out.reward = task_.scorer->score(drafts).front();
  }
  return out;
}

}  // namespace tq
