// Does the response speak of what the prompt asks? The cosine of their embeddings.
//
//   coherence(x, y) = cos(e(x), e(y)), from -1 to 1
//
// Source: Su et al. (arXiv:2202.06417), section 4.2 (1), whose e is SimCSE; ARGS (arXiv:2402.01694)
// and Transfer Q* (arXiv:2405.20495) report it with the same. Here e is any embedding model in
// GGUF, `minilm` of the catalog unless a setup names another, so figures compare within one model
// only: it belongs in a result's fingerprint.
//
// Thread-safe: an encoder's session is lent to one call at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "transferq/reward/encoder_scorer.hpp"

namespace tq {

class CoherenceMeter {
 public:
  // From ModelStore::encoder(). `threads` as of Encoder::open_session(). Throws Error (model) for
  // an encoder with a rank head.
  explicit CoherenceMeter(std::shared_ptr<const Encoder> encoder, int threads = 1);

  // None where prompt or response is blank, and says nothing to be compared. Texts longer than the
  // encoder holds are cut at their end.
  std::optional<double> of(const std::string& prompt, const std::string& response) const;

  const std::string& fingerprint() const { return fingerprint_; }  // changes with the encoder
  std::uint64_t evaluations() const { return evaluations_; }       // tokens, special ones included

 private:
  EncoderPool pool_;
  int threads_;
  std::string fingerprint_;
  mutable std::atomic<std::uint64_t> evaluations_ = 0;
};

}  // namespace tq
