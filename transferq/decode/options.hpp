// What of a decoder's options makes sense, and what goes together.
#pragma once

#include <cstddef>

#include "transferq/decode/factory.hpp"

namespace tq {

// Throws Error (usage), in the words of the command's flags. `vocabulary` bounds top_k.
void validate(const DecoderOptions& options, std::size_t vocabulary);

}  // namespace tq
