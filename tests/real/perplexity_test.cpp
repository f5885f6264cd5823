// Perplexity against the decoder's own account: greedy decoding's KL to the reference is the sum of
// -ln P(token) over its tokens, n ln(perplexity), computed while it decodes, token by token.
#include "transferq/eval/metrics/perplexity.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "real_models.hpp"
#include "transferq/decode/factory.hpp"
#include "transferq/eval/generator.hpp"

namespace tq {
namespace {

TEST(Perplexity, OfGreedyAnswersIsWhatTheDecoderPaid) {
  const Policy policy(testing::real_model("smollm2-f32"), Format::chat);
  DecoderOptions decoding;
  decoding.name = "greedy";
  const tq::Setup setup{
      policy, std::nullopt, nullptr, make_decoder(decoding, policy.model().vocabulary()), 32, 1};
  SessionOptions options;
  options.cache = CacheType::f32;
  options.threads = 1;
  Worker worker(setup, options);
  PerplexityMeter meter(policy, options);
  for (const std::string text : {"Name three things.", "Is a tomato a fruit?", "Say yes."}) {
    const Prompt prompt = make_prompt("0", text);
    const Decoded decoded = worker.generate(prompt).decoded;
    const auto n = static_cast<double>(decoded.tokens.size());
    EXPECT_GT(n, 1);
    EXPECT_NEAR(n * std::log(meter.of(prompt, decoded.tokens).value()), decoded.kl_to_reference,
                1e-2)
        << text;
  }
}

}  // namespace
}  // namespace tq
