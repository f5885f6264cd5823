// The options of blocks, commits, gates and the dial: which of them go together, and with what.
#pragma once

#include "transferq/decode/factory.hpp"

namespace tq {

// Throws Error (usage) for values and combinations that make no sense.
void validate_steps(const DecoderOptions& options);

// Those that are not at their defaults, for a fingerprint of a run's settings; "" where all are.
std::string describe_steps(const DecoderOptions& options);

}  // namespace tq
