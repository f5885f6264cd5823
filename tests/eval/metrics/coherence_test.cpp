// On a tiny BERT; tests/real has cosines of the real one against the reference implementation.
#include "transferq/eval/metrics/coherence.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/engine/llama/encoder.hpp"
#include "transferq/engine/llama/tiny_encoder.hpp"
#include "transferq/policy/model_store.hpp"
#include "transferq/reward/embedding.hpp"

namespace tq {
namespace {

using testing::expect_error;

class CoherenceTest : public ::testing::Test {
 protected:
  std::shared_ptr<const Encoder> encoder(const llama::TinyEncoderOptions& options = {}) {
    const auto path = tiny_ / ("encoder" + std::to_string(++count_) + ".gguf");
    llama::write_tiny_encoder(path, options);
    return ModelStore().encoder(path.string());
  }
  testing::TinyModels tiny_;
  int count_ = 0;
};

TEST(Cosine, ByHand) {
  EXPECT_NEAR(cosine(std::vector<float>{0.6f, 0.8f}, std::vector<float>{0.8f, 0.6f}), 0.96, 1e-6);
  EXPECT_EQ(cosine(std::vector<float>{1, 0}, std::vector<float>{-1, 0}), -1);
  EXPECT_EQ(cosine(std::vector<float>{1, 0}, std::vector<float>{0, 0}), 0);
  EXPECT_EQ(cosine(std::vector<float>{1.0001f}, std::vector<float>{1}), 1);
}

TEST_F(CoherenceTest, IsTheCosineOfTheTwoEmbeddings) {
  const auto model = encoder();
  const CoherenceMeter meter(model);
  const auto session = model->open_session(1);
  const std::vector<std::string> texts{"was the film good", "the film was very bad", "rainy!"};
  for (const auto& a : texts) {
    for (const auto& b : texts) {
      const std::vector<std::string> pair{a, b};
      const auto v = session->embed(pair);
      double dot = 0;
      for (std::size_t i = 0; i < v[0].size(); ++i) dot += double{v[0][i]} * double{v[1][i]};
      EXPECT_NEAR(*meter.of(a, b), dot, 1e-5) << a << " | " << b;
      EXPECT_NEAR(*meter.of(a, b), *meter.of(b, a), 1e-5);
      EXPECT_EQ(a == b, *meter.of(a, b) > 1 - 1e-3);
    }
  }
}

TEST_F(CoherenceTest, ABlankTextHasNone) {
  const CoherenceMeter meter(encoder());
  for (const std::string blank : {"", " ", "\n\t ", "\xC2\xA0"}) {
    EXPECT_EQ(meter.of("a good day", blank), std::nullopt);
    EXPECT_EQ(meter.of(blank, "a good day"), std::nullopt);
  }
  EXPECT_EQ(meter.evaluations(), 0u);
  EXPECT_TRUE(meter.of("a", "b").has_value());
  EXPECT_EQ(meter.evaluations(), 6u);  // each with two special tokens
}

TEST_F(CoherenceTest, ALongTextIsCut) {
  const auto model = encoder();
  const CoherenceMeter meter(model);
  std::string longer;
  for (std::size_t i = 0; i < model->longest(); ++i) longer += "good ";
  EXPECT_NEAR(*meter.of("a good day", longer), *meter.of("a good day", longer + "bad film"), 1e-6);
}

TEST_F(CoherenceTest, TheFingerprintIsTheEncoders) {
  llama::TinyEncoderOptions other;
  other.seed = 2;
  const auto model = encoder();
  EXPECT_EQ(CoherenceMeter(model).fingerprint(), CoherenceMeter(model).fingerprint());
  EXPECT_NE(CoherenceMeter(model).fingerprint(), CoherenceMeter(encoder(other)).fingerprint());
}

TEST_F(CoherenceTest, ARankHeadIsRefused) {
  llama::TinyEncoderOptions options;
  options.pooling = Pooling::rank;
  expect_error(ErrorKind::model, {"rank head", "embedding model"},
               [&] { CoherenceMeter meter(encoder(options)); });
}

TEST_F(CoherenceTest, ManyThreadsGetWhatOneGets) {
  const CoherenceMeter meter(encoder());
  const double right = *meter.of("a good day", "the film was bad");
  const auto once = meter.evaluations();
  std::vector<std::thread> threads;
  std::vector<double> values(4);
  for (double& value : values) {
    threads.emplace_back([&] { value = *meter.of("a good day", "the film was bad"); });
  }
  for (auto& thread : threads) thread.join();
  for (const double value : values) EXPECT_NEAR(value, right, 1e-6);
  EXPECT_EQ(meter.evaluations(), 5 * once);
}

}  // namespace
}  // namespace tq
