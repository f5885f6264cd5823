// Candidates that are blocks of several tokens: each grows on from its first token by draws of the
// policy whose branches these are, until it has B tokens, ends the text, or fills the response.
// Thread-safe.
#pragma once

#include "transferq/rollout/rollout.hpp"

namespace tq {

// The draw of a block's token at a position in it. Blocks are known by their place among the
// candidates, since two of them may begin with the same token.
RandomKey block_key(RandomKey step, std::size_t candidate, std::size_t position);

// Tokens of a block that does not end the text.
std::size_t block_length(std::size_t block, std::size_t room);

// Grows the candidates [from, to), whose first tokens lie evaluated on expansion.branches, to
// blocks of up to `block` tokens. The last token is evaluated, too, if `last`: then
// expansion.outputs is what follows the block.
void grow_blocks(const ExpandRequest& request, std::size_t block, bool last, std::size_t from,
                 std::size_t to, Expansion& expansion);

}  // namespace tq
