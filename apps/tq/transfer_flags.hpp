// The flags of transfer (docs/transfer.md): what the baseline's roll-outs say of a token, and what
// the baseline was aligned to.
#pragma once

#include "flags.hpp"

namespace tq::app {

void add_transfer_flags(CLI::App& command, DecodingFlags& flags);

// Fills in what the flags leave open; throws Error (usage) for those that make no sense together.
// Before any model is loaded.
void settle_transfer(DecodingFlags& flags);

// The reward that the baseline was aligned to, for indirect and soft transfer; null where it is 0,
// as of the reference itself. Throws Error (usage) for one that the decoder can't work with.
std::shared_ptr<const Reward> baseline_reward_of(const DecodingFlags& flags, ModelStore& models,
                                                 const Policy& reference,
                                                 const std::optional<Policy>& baseline);

// All that says which transfer a run makes, for its fingerprint.
std::string transfer_settings(const DecoderOptions& options, const Reward* baseline_reward);

}  // namespace tq::app
