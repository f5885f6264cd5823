// Embeddings against Hugging Face transformers on the same model in float32, on 21 pairs of
// sentences (fixtures/embedding_cosines.json, made by scripts/reference/embedding_cosines.py). The
// GGUF has 16-bit matrices.
#include <gtest/gtest.h>

#include <numeric>

#include "real_models.hpp"
#include "transferq/engine/llama/encoder.hpp"
#include "transferq/eval/metrics/coherence.hpp"

namespace tq {
namespace {

TEST(Embedding, CosinesEqualTransformers) {
  const auto reference = testing::fixture("embedding_cosines.json");
  const auto encoder = llama::load_encoder(find_model("minilm"));
  EXPECT_EQ(encoder->pooling(), Pooling::mean);
  EXPECT_EQ(encoder->dimensions(), 384u);
  EXPECT_EQ(encoder->longest(), 512u);
  const auto session = encoder->open_session(1);
  const CoherenceMeter coherence(encoder);
  ASSERT_EQ(reference.at("cases").size(), 21u);
  for (const auto& item : reference.at("cases")) {
    const auto texts = item.at("texts").get<std::vector<std::string>>();
    const auto lengths = item.at("lengths").get<std::vector<std::uint64_t>>();
    const auto before = session->evaluations();
    const auto v = session->embed(texts);
    EXPECT_EQ(session->evaluations() - before, lengths.at(0) + lengths.at(1)) << texts.at(0);
    EXPECT_NEAR(std::inner_product(v[0].begin(), v[0].end(), v[1].begin(), 0.0),
                item.at("cosine").get<double>(), 1e-3)
        << texts.at(0) << " | " << texts.at(1);
    EXPECT_NEAR(coherence.of(texts[0], texts[1]).value(), item.at("cosine").get<double>(), 1e-3);
  }
}

}  // namespace
}  // namespace tq
