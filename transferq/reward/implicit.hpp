// The reward that two policies' difference implies:
//   r(x, y) = beta ( ln rho_a(y|x) - ln rho_b(y|x) ).
// With a the policy that preference training made of b at KL strength beta, this is the reward it
// was trained towards, up to a constant of the prompt. Source: Rafailov et al., *Direct Preference
// Optimization*, NeurIPS 2023, equation 5; Transfer Q*, section 3.2, for a baseline's reward.
//
// y ends with the token that ends a turn where the response ended by itself. Partial responses can
// be scored: the sum runs over the tokens there are. Tokens are the decoding policy's own where the
// vocabulary is, and else the text's.
#pragma once

#include <memory>

#include "transferq/reward/kind.hpp"

namespace tq {

// `policy_tokens`: drafts' tokens are of the two policies' vocabulary. Throws Error (usage) when
// the two have different vocabularies, or beta is not a number above 0.
std::unique_ptr<Reward> make_implicit(Policy aligned, Policy reference, double beta,
                                      bool policy_tokens);

// implicit=POLICY[,reference=POLICY][,beta=0.1]; a policy with keys of its own in braces.
RewardKind implicit_kind();

}  // namespace tq
