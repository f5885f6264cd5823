// What a token costs with k = 10 and horizon = 20, in token evaluations, on the default model:
//   k h + k (h + 1) + 2  with a reward model of its own,
//   k (h + 1) + 2        when the reward reads the policy's hidden states,
// whatever the prompt's length. (tests/decode/cost_test.cpp has the same on a tiny model, at more
// lengths.)
#include <gtest/gtest.h>

#include <filesystem>

#include "real_models.hpp"
#include "transferq/decode/factory.hpp"
#include "transferq/eval/generator.hpp"
#include "transferq/reward/linear_head.hpp"

namespace tq {
namespace {

constexpr std::size_t kCandidates = 10;
constexpr std::size_t kHorizon = 20;
// Beyond the horizon, so that the first roll-outs are not cut short by the response's end.
constexpr std::size_t kTokens = kHorizon + 4;

Generated decode(const std::string& reward_model, std::size_t prompt_words, bool greedy) {
  const auto base = testing::real_model(reward_model);
  const auto head_file = std::filesystem::temp_directory_path() / "tq-cost-head.gguf";
  write_head(head_file, testing::sentiment_head(*base));
  DecoderOptions options;
  options.name = "tq";
  options.top_k = kCandidates;
  options.horizon = kHorizon;
  options.greedy_rollouts = greedy;
  const auto model = testing::real_model("smollm2");
  const Setup setup{Policy(model, Format::chat),
                    std::nullopt,
                    make_linear_head(head_file, Policy(base, Format::chat)),
                    make_decoder(options, model->vocabulary()),
                    kTokens,
                    1};
  std::filesystem::remove(head_file);
  std::string text = "Describe a rainy day.";
  for (std::size_t i = 0; i < prompt_words; ++i) text += " Rain again.";
  return Worker(setup, {}).generate(make_prompt("0", text));
}

TEST(Cost, SharedSession) {
  for (const std::size_t words : {0, 100}) {
    const Generated g = decode("smollm2", words, false);
    const auto n = static_cast<double>(g.decoded.tokens.size());
    EXPECT_EQ(g.evaluations.reward, 0u);
    EXPECT_LE(static_cast<double>(g.evaluations.policy) / n, kCandidates * (kHorizon + 1) + 2);
    EXPECT_EQ(g.evaluations.prompt, g.prompt_tokens);
  }
}

TEST(Cost, SeparateRewardModel) {
  const Generated g = decode("smollm2-f32", 100, true);
  const auto n = static_cast<double>(g.decoded.tokens.size());
  const auto& e = g.evaluations;
  EXPECT_GT(e.reward, 0u);
  EXPECT_LE(static_cast<double>(e.policy + e.reference + e.reward) / n,
            kCandidates * kHorizon + kCandidates * (kHorizon + 1) + 2);
}

}  // namespace
}  // namespace tq
