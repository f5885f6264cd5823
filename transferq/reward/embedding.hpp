// What all that compares texts by their embeddings shares.
#pragma once

#include <span>

#include "transferq/engine/encoder.hpp"

namespace tq {

// The cosine of two vectors of length 1, from -1 to 1; 0 where one of them is all zeros. Pure.
double cosine(std::span<const float> a, std::span<const float> b);

// Throws Error (model) for an encoder that has a rank head and so gives no embeddings.
void require_embeddings(const Encoder& encoder);

}  // namespace tq
