// Prompts decoded side by side are the prompts decoded one at a time.
#include <gtest/gtest.h>

#include "tests/decode/decoding.hpp"
#include "transferq/eval/parallel.hpp"

namespace tq {
namespace {

using testing::setup_of;
using testing::Tokens;

std::vector<Generated> decode(const Setup& setup, const std::vector<Prompt>& prompts,
                              std::size_t workers) {
  std::vector<Generated> out(prompts.size());
  run_parallel(prompts.size(), workers, {}, [&](std::size_t) {
    auto worker = std::make_shared<Worker>(setup, testing::session_of());
    return [&, worker](std::size_t i) { out[i] = worker->generate(prompts[i]); };
  });
  return out;
}

void expect_same(const Setup& setup, const std::vector<Prompt>& prompts, double tolerance) {
  const auto one = decode(setup, prompts, 1);
  const auto many = decode(setup, prompts, 4);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(many[i].decoded.tokens, one[i].decoded.tokens);
    EXPECT_EQ(many[i].decoded.text, one[i].decoded.text);
    EXPECT_NEAR(*many[i].decoded.reward, *one[i].decoded.reward, tolerance);
    EXPECT_NEAR(many[i].decoded.kl_to_reference, one[i].decoded.kl_to_reference, tolerance);
    EXPECT_EQ(many[i].evaluations.policy, one[i].evaluations.policy);
    EXPECT_EQ(many[i].evaluations.reward, one[i].evaluations.reward);
    EXPECT_EQ(many[i].evaluations.prompt, one[i].evaluations.prompt);
  }
}

class WorkerTest : public ::testing::Test {
 protected:
  static std::vector<Prompt> prompts(const std::string& text, int count = 12) {
    std::vector<Prompt> out;
    for (int i = 0; i < count; ++i) out.push_back(make_prompt(std::to_string(i), text));
    return out;
  }
  testing::TinyModels tiny_;
  const testing::TemporaryFolder folder_;
};

TEST_F(WorkerTest, ManyTabularPromptsAtOnceEqualOneAtATime) {
  const Policy policy(testing::random_table(4, 7, 3, Token{3}), Format::raw);
  const Policy judge(testing::random_table(4, 7, 4, Token{3}), Format::raw);
  for (const Policy* base : {&policy, &judge}) {
    const auto reward = testing::head_on(*base, folder_);
    for (const std::string name : {"tq", "args", "cd", "best-of", "sample"}) {
      SCOPED_TRACE(name);
      const DecoderOptions options{.name = name, .top_k = 3, .horizon = 2, .samples = 4};
      expect_same(setup_of(policy, options, reward, 6), prompts("01"), 0);
    }
  }
}

TEST_F(WorkerTest, ManyPromptsOnATransformerAtOnceEqualOneAtATime) {
  const Policy policy(tiny_.load({.seed = 3}), Format::chat);
  const Policy judge(tiny_.load({.seed = 4}), Format::chat);
  std::vector<Prompt> several = prompts("The good", 6);
  several[2].messages[0].content = "A much longer prompt about the bad and you and the other";
  several[4].messages[0].content = "Hi";
  for (const Policy* base : {&policy, &judge}) {
    const auto reward = testing::head_on(*base, folder_);
    const DecoderOptions options{.name = "tq", .alpha = 0.3, .top_k = 4, .horizon = 3};
    expect_same(setup_of(policy, options, reward, 8), several, 1e-3);
  }
}

TEST_F(WorkerTest, AWorkerDecodesLongAndShortPromptsInAnyOrder) {
  const Policy policy(tiny_.load({.seed = 3}), Format::chat);
  const auto reward = testing::head_on(policy, folder_);
  const auto setup = setup_of(policy, {.name = "tq", .top_k = 4, .horizon = 3}, reward, 6);
  const std::vector<Prompt> two{make_prompt("a", "Hi"), make_prompt("b", std::string(120, 'x'))};
  Worker worker(setup, testing::session_of());
  for (const std::size_t i : {0u, 1u, 0u, 1u}) {
    EXPECT_EQ(worker.generate(two[i]).decoded.tokens, testing::run(setup, two[i]).decoded.tokens);
  }
}

// What their prompts have in common is evaluated once in each of its sessions, and the answers are
// those of a worker that has seen no other prompt.
TEST_F(WorkerTest, PromptsBehindOneSystemPromptAreAsTheyAreAlone) {
  const std::string system = "Be kind to the bad, be good to the good, and say so.";
  const Policy policy(tiny_.load({.seed = 3}), Format::chat, {}, system);
  const Policy plain(policy.shared_model(), Format::chat);
  const Policy judge(tiny_.load({.seed = 4}), Format::chat, {}, "Judge. " + system);
  const std::vector<Prompt> some{make_prompt("a", "Hi"), make_prompt("b", "The good, the bad"),
                                 make_prompt("a", "Hi")};
  const auto expect_alone = [&](const std::shared_ptr<const Reward>& reward,
                                const std::optional<Policy>& baseline) {
    const DecoderOptions options{.name = "tq", .alpha = 0.3, .top_k = 4, .horizon = 3};
    const auto setup = setup_of(policy, options, reward, 6, baseline);
    Worker worker(setup, testing::session_of());
    for (const Prompt& prompt : some) {
      const Generated got = worker.generate(prompt);
      const auto alone = testing::run(setup, prompt);
      EXPECT_EQ(got.decoded.tokens, alone.decoded.tokens);
      EXPECT_NEAR(*got.decoded.reward, *alone.decoded.reward, 1e-4);
      EXPECT_EQ(got.evaluations.policy, alone.evaluations.policy);
      EXPECT_EQ(got.evaluations.reward, alone.evaluations.reward);
      EXPECT_EQ(got.evaluations.prompt, alone.evaluations.prompt);
    }
  };
  for (const Policy* base : {&policy, &plain, &judge}) {
    for (const auto& baseline : {std::optional<Policy>(), std::optional<Policy>(plain)}) {
      expect_alone(testing::head_on(*base, folder_), baseline);
      expect_alone(testing::pooled_head_on(*base, folder_), baseline);
    }
  }
}

TEST_F(WorkerTest, AFixedContextTooSmallForAllAtOnceGivesTheSameTokens) {
  const Policy policy(testing::endless(12), Format::raw);
  const Policy judge(testing::random_table(12, 0), Format::raw);
  for (const Policy* base : {&policy, &judge}) {
    const auto reward = testing::head_on(*base, folder_);
    const DecoderOptions options{.name = "tq", .top_k = 5, .horizon = 4, .rollouts = 3};
    const auto setup = setup_of(policy, options, reward, 6);
    const Prompt prompt = make_prompt("a", "1.2.3.");
    const auto large = testing::run(setup, prompt);
    const auto small = testing::run(setup, prompt, testing::session_of(30));
    EXPECT_EQ(small.decoded.tokens, large.decoded.tokens);
    EXPECT_EQ(*small.decoded.reward, *large.decoded.reward);
    // Roll-outs that take turns share nothing; then each costs all of its tokens.
    std::uint64_t most = 0;
    for (std::size_t room = 6; room > 0; --room) {
      const std::size_t depth = std::min<std::size_t>(4, room - 1);
      const bool hidden = base == &policy;
      if (hidden || depth > 0) most += 5 + 5 * 3 * (hidden ? depth : depth - 1);
    }
    EXPECT_GE(small.evaluations.policy, large.evaluations.policy);
    EXPECT_LE(small.evaluations.policy, most);
    // Where candidates take turns, too, the one that wins is evaluated again, and that is counted.
    const auto least = testing::run(setup, prompt, testing::session_of(9));
    EXPECT_EQ(least.decoded.tokens, large.decoded.tokens);
    EXPECT_EQ(*least.decoded.reward, *large.decoded.reward);
    EXPECT_GT(least.evaluations.policy, large.evaluations.policy);
    EXPECT_LE(least.evaluations.policy, most + 6);
  }
}

TEST_F(WorkerTest, AFixedContextTooSmallForTheRewardBesideThePolicyIsRefusedAtOnce) {
  const Policy policy(tiny_.load({.seed = 3}), Format::chat);
  const Policy baseline(policy.shared_model(), Format::chat, {}, "Be good");
  const Policy judge(policy.shared_model(), Format::chat, {}, "Judge");  // reads another prompt
  const DecoderOptions options{.name = "tq", .top_k = 5, .horizon = 4};
  const auto setup = setup_of(policy, options, testing::head_on(judge, folder_), 6, baseline);
  const Prompt prompt = make_prompt("a", "The good");
  std::size_t told = 0, done = 0;
  for (std::size_t cells = 9; cells < 900; cells += 27) {
    std::size_t made = 0;
    Worker worker(setup, testing::session_of(cells));
    try {
      worker.generate(prompt, {}, [&](const Step&) { ++made; });
      EXPECT_GT(made, 0u);
      ++done;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::input) << e.what();
      EXPECT_EQ(made, 0u) << cells;
      ++told;
    }
  }
  EXPECT_GT(told, 3u);
  EXPECT_GT(done, 3u);
}

}  // namespace
}  // namespace tq
