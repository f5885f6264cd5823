#include "transferq/decode/factory.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/decode/decoding.hpp"

namespace tq {
namespace {

using testing::expect_error;

void expect_usage(const std::vector<std::string>& words, const DecoderOptions& options) {
  expect_error(ErrorKind::usage, words, [&] { make_decoder(options, 50); });
}

TEST(Factory, MakesEveryDecoderItNames) {
  EXPECT_EQ(decoder_names(), (std::vector<std::string>{"args", "best-of", "cd", "greedy",
                                                       "official", "sample", "tq"}));
  for (const std::string& name : decoder_names()) {
    const auto decoder = make_decoder({.name = name}, 50);
    EXPECT_EQ(decoder->needs_reward(), name != "greedy" && name != "sample") << name;
    EXPECT_GE(decoder->workload(9).tokens, 9u) << name;
  }
}

TEST(Factory, AnUnknownNameOffersTheNearest) {
  expect_usage({"'gredy'", "did you mean 'greedy'?", "best-of, cd"}, {.name = "gredy"});
  expect_usage({"'zzzzzz'", "there are args"}, {.name = "zzzzzz"});
}

TEST(Factory, AlphaMustBeAboveZeroAndTheMessageSaysWhatZeroMeans) {
  for (const double alpha : {0.0, -1.0, std::nan("")}) {
    expect_usage({"--alpha", "above 0", "highest value always wins"},
                 {.name = "tq", .alpha = alpha});
  }
  EXPECT_NE(make_decoder({.name = "tq", .alpha = std::numeric_limits<double>::infinity()}, 50),
            nullptr);
}

TEST(Factory, TopKMustLieWithinTheVocabulary) {
  expect_usage({"--top-k 0"}, {.name = "tq", .top_k = 0});
  expect_usage({"--top-k 51", "50 tokens"}, {.name = "tq", .top_k = 51});
  EXPECT_NE(make_decoder({.name = "tq", .top_k = 50}, 50), nullptr);
}

TEST(Factory, CountsOfZeroAreErrors) {
  expect_usage({"--rollouts 0"}, {.name = "tq", .rollouts = 0});
  expect_usage({"--samples 0"}, {.name = "best-of", .samples = 0});
}

DecoderOptions with(const std::string& name, const std::function<void(DecoderOptions&)>& change) {
  DecoderOptions options{.name = name};
  change(options);
  return options;
}

TEST(Factory, BlocksCommitsGatesAndTheDialBelongToDecodersThatWeighCandidates) {
  for (const std::string& name : decoder_names()) {
    const bool weighs = name == "tq" || name == "cd" || name == "args";
    const std::vector<std::pair<std::string, DecoderOptions>> cases{
        {"--commit 3", with(name, [](auto& o) { o.commit = 3; })},
        {"--block 3", with(name, [](auto& o) { o.block = 3; })},
        {"--min-p 0.1", with(name, [](auto& o) { o.min_p = 0.1; })},
        {"--kl-budget", with(name, [](auto& o) { o.kl_budget = 2.0; })}};
    for (const auto& [flag, options] : cases) {
      if (weighs && !(name == "args" && options.commit > 1)) {
        EXPECT_NE(make_decoder(options, 50), nullptr) << name << flag;
      } else {
        expect_usage({flag, name}, options);
      }
    }
  }
}

TEST(Factory, BlocksNeedMemoryForTheirTokensToo) {
  const auto work = make_decoder(with("cd", [](auto& o) { o.block = 4; }), 50)->workload(100);
  EXPECT_EQ(work.depth, 24u);
  EXPECT_EQ(work.width, 20u);
}

class WorkerErrors : public ::testing::Test {
 protected:
  const Policy table_{testing::random_table(4, 3), Format::raw};
};

TEST_F(WorkerErrors, ADecoderTowardsARewardNeedsOne) {
  const auto setup = testing::setup_of(table_, {.name = "tq", .top_k = 2});
  expect_error(ErrorKind::usage, {"--reward"}, [&] { Worker(setup, testing::session_of()); });
}

TEST_F(WorkerErrors, PoliciesOfDifferentVocabulariesAreRefused) {
  const Policy other(testing::random_table(3, 3), Format::raw);
  const auto setup = testing::setup_of(table_, {.name = "greedy", .top_k = 2}, nullptr, 4, other);
  expect_error(ErrorKind::model, {"different vocabularies"},
               [&] { Worker(setup, testing::session_of()); });
}

TEST_F(WorkerErrors, APromptThatDoesNotFitIsRefusedAndTheNextOneIsDecoded) {
  testing::TinyModels tiny;
  const Policy policy(tiny.load(), Format::raw);  // a context of 256
  const auto setup = testing::setup_of(policy, {.name = "greedy"});
  Worker worker(setup, testing::session_of());
  expect_error(ErrorKind::input, {"context of 256"},
               [&] { worker.generate(make_prompt("a", std::string(300, 'x'))); });
  EXPECT_FALSE(worker.generate(make_prompt("b", "The good")).decoded.tokens.empty());
}

}  // namespace
}  // namespace tq
