// A linear head on a causal model's hidden states: r(x, y) = w . h + b, h pooled over the text as
// reward/features.hpp says. The head is a file of ours (engine/llama/head_file.hpp), the base a
// policy without adapter or system prompt.
//
// Where the policy that decodes is the base itself and has the same prompt before it, the states
// that a roll-out went through are those that the head reads, and a score costs no evaluation.
#pragma once

#include <filesystem>
#include <memory>

#include "transferq/reward/kind.hpp"

namespace tq {

// `policy_tokens`: drafts' tokens are of the base's vocabulary. Throws Error (model) when the head
// was fitted on another model file, unless `force`: then only its width must fit.
std::unique_ptr<Reward> make_linear_head(const std::filesystem::path& file, Policy base,
                                         bool force = false, bool policy_tokens = false);

// head=FILE[,model=NAME][,force=1]: by path or shipped name; its base is the policy's model unless
// named.
RewardKind linear_head_kind();

}  // namespace tq
