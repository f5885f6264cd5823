#include "transferq/reward/embedding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "transferq/core/error.hpp"

namespace tq {

double cosine(std::span<const float> a, std::span<const float> b) {
  const double dot = std::inner_product(a.begin(), a.end(), b.begin(), 0.0, std::plus<>(),
                                        [](float x, float y) { return double{x} * double{y}; });
  return std::clamp(dot, -1.0, 1.0);  // rounding may carry it a little beyond
}

void require_embeddings(const Encoder& encoder) {
  if (encoder.pooling() != Pooling::rank) return;
  throw Error(ErrorKind::model,
              fmt::format("{} has a rank head and gives no embeddings; give an embedding model, "
                          "or use rank=FILE",
                          encoder.name()));
}

}  // namespace tq
