// --decoder official against transcripts of the authors' code on the same weights in float32:
// token for token, with logits and rewards to 1e-3.
#include "transferq/decode/official.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "real_models.hpp"
#include "transferq/eval/generator.hpp"
#include "transferq/reward/linear_head.hpp"

namespace tq {
namespace {

class Official : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Official, ChoosesWhatTheAuthorsCodeChose) {
  const auto transcript = testing::fixture("official/transcripts.json").at(GetParam());
  const auto model = testing::real_model("smollm2-f32");
  const auto head_file = std::filesystem::temp_directory_path() /
                         ("tq-official-" + std::to_string(GetParam()) + ".gguf");
  write_head(head_file, testing::sentiment_head(*model));
  const double weight = transcript.at("weight");
  const Policy policy(model, Format::raw);
  const tq::Setup setup{policy,
                        std::nullopt,
                        make_linear_head(head_file, policy),
                        std::make_shared<OfficialDecoder>(1 / weight, transcript.at("k"),
                                                          transcript.at("rollout_tokens")),
                        transcript.at("n"),
                        0};
  SessionOptions options;
  options.cache = CacheType::f32;
  std::vector<Step> steps;
  const Generated generated = Worker(setup, options)
                                  .generate(make_prompt("0", transcript.at("prompt")), {},
                                            [&](const Step& step) { steps.push_back(step); });
  std::filesystem::remove(head_file);
  EXPECT_EQ(generated.decoded.tokens, transcript.at("response_tokens").get<std::vector<Token>>());

  SessionPool pool(options);
  pool.plan(policy, 64, {64, 1, 0});
  Stream stream(policy, pool.get(policy), policy.encode(make_prompt("0", transcript.at("prompt"))));
  EXPECT_EQ(stream.prompt(), transcript.at("prompt_tokens").get<std::vector<Token>>());
  ASSERT_EQ(steps.size(), transcript.at("steps").size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& expected = transcript.at("steps").at(i);
    ASSERT_EQ(steps[i].candidates.size(), expected.at("candidates").size());
    for (std::size_t c = 0; c < steps[i].candidates.size(); ++c) {
      const CandidateView& got = steps[i].candidates[c];
      EXPECT_EQ(got.token, expected.at("candidates").at(c)) << "step " << i;
      EXPECT_NEAR(got.value, expected.at("rewards").at(c), 1e-3) << "step " << i << " " << c;
      EXPECT_NEAR(stream.state().logits[static_cast<std::size_t>(got.token)],
                  expected.at("logits").at(c), 1e-3)
          << "step " << i << " " << c;
    }
    stream.append(steps[i].token);
  }
}

INSTANTIATE_TEST_SUITE_P(Transcripts, Official, ::testing::Range<std::size_t>(0, 6));

}  // namespace
}  // namespace tq
