// Similarity to given texts: r(x, y) = the mean, or the largest, of cos(e(y), e(t)) over the texts
// t, where e is an embedding model. Bounded, from -1 to 1; the prompt is not read.
//
// The texts are embedded once, when the reward is made; costs() has the responses alone. A response
// is scored finished or not. An empty one has the embedding of the model's special tokens alone;
// where a model adds none it has no embedding, and its similarity is 0.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "transferq/engine/encoder.hpp"
#include "transferq/reward/kind.hpp"

namespace tq {

enum class Pick { mean, max };

// Throws Error (usage) without a text, Error (model) for an encoder with a rank head.
std::unique_ptr<Reward> make_similarity(std::shared_ptr<const Encoder> encoder,
                                        std::vector<std::string> texts, Pick pick = Pick::mean);

// similar=TEXT|@FILE[,model=FILE.gguf][,pick=mean|max]; a file has a text a line, and the model is
// `minilm` of the catalog unless named.
RewardKind similarity_kind();

}  // namespace tq
