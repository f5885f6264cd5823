#include "transferq/eval/metrics/coherence.hpp"

#include <array>
#include <utility>

#include "transferq/core/sha256.hpp"
#include "transferq/eval/metrics/text_metrics.hpp"
#include "transferq/reward/embedding.hpp"

namespace tq {

CoherenceMeter::CoherenceMeter(std::shared_ptr<const Encoder> encoder, int threads)
    : pool_(std::move(encoder)), threads_(threads) {
  require_embeddings(pool_.encoder());
  fingerprint_ = sha256("coherence " + pool_.encoder().identity());
}

std::optional<double> CoherenceMeter::of(const std::string& prompt,
                                         const std::string& response) const {
  if (text_metrics(prompt).words == 0 || text_metrics(response).words == 0) return std::nullopt;
  const std::array<std::string, 2> texts{prompt, response};
  return pool_.with(threads_, [&](EncoderSession& session) {
    const std::uint64_t before = session.evaluations();
    const auto vectors = session.embed(texts);
    evaluations_ += session.evaluations() - before;
    return cosine(vectors.at(0), vectors.at(1));
  });
}

}  // namespace tq
