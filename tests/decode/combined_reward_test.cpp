// Combined rewards under the production decoders: whose hidden states they hand over, and whether
// several heads find room in one session.
#include <gtest/gtest.h>

#include "tests/decode/decoding.hpp"
#include "transferq/core/text.hpp"
#include "transferq/reward/combine.hpp"

namespace tq {
namespace {

using testing::run;
using testing::session_of;
using testing::setup_of;

class CombinedRewardTest : public ::testing::Test {
 protected:
  std::unique_ptr<Reward> head(const Policy& base, std::uint64_t seed) {
    const auto path = tiny_ / ("head" + std::to_string(++count_) + ".gguf");
    write_head(path, testing::random_head(base.model(), seed));
    return make_linear_head(path, base);
  }
  double fresh(const Reward& reward, const std::string& text, testing::Tokens tokens = {}) {
    SessionPool pool(session_of());
    const std::vector<Draft> drafts{{text, std::move(tokens), {}, false}};
    return reward.open(prompt_, pool, {60, 2, 20})->score(drafts).at(0);
  }

  testing::TinyModels tiny_;
  int count_ = 0;
  const Policy ours_{tiny_.load(), Format::chat};
  const Policy other_{tiny_.load({.seed = 2}), Format::chat};
  const Prompt prompt_ = make_prompt("a", "The good and the bad");
};

TEST_F(CombinedRewardTest, EveryDecoderScoresItsResponseAsFromNothing) {
  InnerRewards inner;
  inner.push_back(head(ours_, 1));
  inner.push_back(head(other_, 2));
  const std::shared_ptr<const Reward> reward = make_sum(std::move(inner), {1, 1});
  for (const char* name : {"greedy", "sample", "best-of", "args", "cd", "tq", "official"}) {
    const auto setup = setup_of(ours_, {.name = name, .top_k = 4, .horizon = 4}, reward, 8);
    const auto answer = run(setup, prompt_);
    std::string text = answer.decoded.text;
    if (std::string(name) == "official") {
      text = replace_invalid_utf8(ours_.model().text(answer.decoded.tokens, false));
    }
    ASSERT_TRUE(answer.decoded.reward.has_value()) << name;
    EXPECT_NEAR(*answer.decoded.reward, fresh(*reward, text), 2e-4) << name;
  }
}

// Heads that read all states of a response, where the policy is their base: decoders bring them,
// whatever they commit, cut or draw side by side.
TEST_F(CombinedRewardTest, HeadsOverTheWholeResponseCostNothing) {
  for (const std::string pooling : {"mean", "last,mean,max,min"}) {
    const testing::TemporaryFolder folder;
    const auto reward = testing::pooled_head_on(ours_, folder, pooling);
    std::vector<DecoderOptions> all;
    for (const char* name : {"greedy", "sample", "best-of", "soft-best-of", "args", "cd", "cbs",
                             "speculative-rejection", "cards", "tq"}) {
      all.push_back({.name = name, .top_k = 4, .horizon = 4, .samples = 4, .chunk = 3});
      all.back().beams = 2;
      all.back().cards.target = 0.3;
    }
    for (const bool greedy : {true, false}) {
      DecoderOptions tq{.name = "tq", .top_k = 4, .horizon = 4, .greedy_rollouts = greedy};
      tq.commit = 3;
      all.push_back(tq);
      tq.commit = 1;
      tq.halvings = 2;
      all.push_back(tq);
    }
    all.push_back({.name = "tq", .top_k = 4, .horizon = 3, .rollouts = 2});
    all.back().block = 3;
    for (const DecoderOptions& options : all) {
      for (const SessionOptions& session : {session_of(600), session_of(300, 6)}) {
        const auto answer = run(setup_of(ours_, options, reward, 9), prompt_, session);
        EXPECT_EQ(answer.evaluations.reward, 0u) << options.name << " " << options.commit;
        const double right = fresh(*reward, answer.decoded.text, answer.decoded.tokens);
        EXPECT_NEAR(*answer.decoded.reward, right, 2e-4) << options.name;
      }
    }
  }
}

TEST_F(CombinedRewardTest, ManyHeadsOnOneModelFindRoomBesideTheRollOuts) {
  InnerRewards inner;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) inner.push_back(head(other_, seed));
  for (std::uint64_t seed = 6; seed <= 8; ++seed) inner.push_back(head(ours_, seed));
  const std::shared_ptr<const Reward> reward = make_sum(std::move(inner), {1, 1, 1, 1, 1, 1, 1, 1});
  // Under a system prompt no head reads the roll-outs' states: all evaluate, in two sessions.
  const Policy kind(ours_.shared_model(), Format::chat, {}, "Be kind");
  for (const char* name : {"tq", "best-of"}) {
    const auto setup =
        setup_of(kind, {.name = name, .top_k = 6, .horizon = 4, .samples = 12}, reward, 6);
    const auto answer = run(setup, prompt_);
    EXPECT_NEAR(*answer.decoded.reward, fresh(*reward, answer.decoded.text), 1e-3) << name;
    EXPECT_EQ(answer.evaluations.reward_models.size(), 2u);
  }
}

}  // namespace
}  // namespace tq
