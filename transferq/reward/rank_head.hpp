// A reranker as a reward: r(x, y) = the score that its own rank head gives the pair (query, text),
// where the query is the prompt's last user message and the text is the response. The input is
// written as llama.cpp's server writes it for /rerank, so the scores are that server's.
//
// Scores are logits, unbounded, but for heads that end in a softmax. A response is scored finished
// or not; an empty one is scored as an empty text beside the query.
#pragma once

#include <memory>
#include <string>

#include "transferq/engine/encoder.hpp"
#include "transferq/reward/kind.hpp"

namespace tq {

// `label` chooses a score by its name or its number from 0; it may be "" where there is but one.
// Throws Error (model) for an encoder without a rank head and Error (usage) for a label that is
// missing or unknown.
std::unique_ptr<Reward> make_rank_head(std::shared_ptr<const Encoder> encoder,
                                       const std::string& label = "");

// rank=FILE.gguf[,label=NAME|N]
RewardKind rank_head_kind();

}  // namespace tq
