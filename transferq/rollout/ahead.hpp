// What a greedy roll-out saves the next step. The likeliest continuation of a candidate is, once
// the candidate is committed, that of the text: its first token is the likeliest candidate, and the
// rest that candidate's roll-out but for its end. So the winner's roll-out, with its branch, is
// handed to the next step (ExpandRequest::ahead), which evaluates what is new of it alone. Exact:
// the tokens are those that would be found again.
#pragma once

#include <optional>

#include "transferq/rollout/rollout.hpp"

namespace tq {

// What the chosen candidate's roll-out knows of the text behind the `committed` first tokens of it
// that became part of the response with the candidate. Takes the branch that the expansion kept;
// none where it kept none, or nothing evaluated is left of it.
std::optional<Ahead> ahead_of(Expansion& expansion, std::size_t chosen, std::size_t committed);

// What is known behind a token that was committed without an expansion.
void advance(std::optional<Ahead>& ahead, Token token);

}  // namespace tq
