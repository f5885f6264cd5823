// A linear head on a causal model's last hidden state: r(x, y) = w . h + b, h after the final norm
// at the last token of the text. The head is a file of ours (engine/llama/head_file.hpp), the base
// a policy without adapter or system prompt.
//
// An empty text has no hidden state: a head that reads the response alone gives it the bias.
// It reads the conversation (prompt and response) or the response alone, as the file says. Where
// the policy that decodes is the base itself and has the same prompt before it, the hidden state of
// the roll-out is the one wanted and a score costs no evaluation.
#pragma once

#include <filesystem>
#include <memory>

#include "transferq/reward/kind.hpp"

namespace tq {

// Throws Error (model) when the head was fitted on another model file, unless `force`: then only
// its width must fit.
std::unique_ptr<Reward> make_linear_head(const std::filesystem::path& file, Policy base,
                                         bool force = false);

// head=FILE[,model=NAME][,force=1]: by path or shipped name; its base is the policy's model unless
// named.
RewardKind linear_head_kind();

}  // namespace tq
