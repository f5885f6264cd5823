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
  EXPECT_EQ(decoder_names(),
            (std::vector<std::string>{"args", "best-of", "cards", "cbs", "cd", "genarm", "greedy",
                                      "official", "sample", "soft-best-of", "speculative-rejection",
                                      "tq"}));
  for (const std::string& name : decoder_names()) {
    const auto decoder = make_decoder({.name = name, .cards = {.target = 1}}, 50);
    const bool plain = name == "greedy" || name == "sample" || name == "genarm";
    EXPECT_EQ(decoder->needs_reward(), !plain) << name;
    EXPECT_GE(decoder->workload(9).tokens, 9u) << name;
  }
}

TEST(Factory, AnUnknownNameOffersTheNearest) {
  expect_usage({"'gredy'", "did you mean 'greedy'?", "best-of, cards"}, {.name = "gredy"});
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
        {"--halve 2", with(name, [](auto& o) { o.halvings = 2; })},
        {"--kl-budget", with(name, [](auto& o) { o.kl_budget = 2.0; })}};
    for (const auto& [flag, options] : cases) {
      if (weighs && !(name == "args" && (options.commit > 1 || options.halvings > 0))) {
        EXPECT_NE(make_decoder(options, 50), nullptr) << name << flag;
      } else {
        expect_usage({flag, name}, options);
      }
    }
  }
}

TEST(Factory, AConfidenceIsAProbabilityThatEndsACommit) {
  const auto confident = [](std::size_t commit, double confidence) {
    return with("tq", [&](auto& o) {
      o.commit = commit;
      o.commit_confidence = confidence;
      o.greedy_rollouts = true;
    });
  };
  EXPECT_NE(make_decoder(confident(4, 0.5), 50), nullptr);
  expect_usage({"--commit-confidence 0.5", "--commit 1"}, confident(1, 0.5));
  for (const double bad : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    expect_usage({"--commit-confidence", "from 0"}, confident(4, bad));
  }
  DecoderOptions other{.name = "best-of"};
  other.commit_confidence = 0.5;
  expect_usage({"--commit-confidence 0.5", "best-of"}, other);
  DecoderOptions drawn = confident(4, 0.5);
  drawn.greedy_rollouts = false;
  expect_usage({"--commit-confidence 0.5", "--rollout-choose greedy"}, drawn);
}

TEST(Factory, HalvingsRankSingleTokensAtAnAlphaByUnfinishedRollOuts) {
  const auto halved = [](const std::function<void(DecoderOptions&)>& change) {
    DecoderOptions options = with("tq", change);
    options.halvings = 2;
    return options;
  };
  expect_usage({"--halve 2", "--block 3"}, halved([](auto& o) { o.block = 3; }));
  expect_usage({"--halve 2", "--kl-budget"}, halved([](auto& o) { o.kl_budget = 2.0; }));
  expect_usage({"--halve 2", "not finished"}, halved([](auto& o) { o.finished_only = true; }));
  expect_usage({"--halve 2", "--horizon 0"}, halved([](auto& o) { o.horizon = 0; }));
  EXPECT_NE(make_decoder(halved([](auto& o) { o.commit = 4; }), 50), nullptr);
}

TEST(Factory, SoftTransferDrawsAtItsBetaAndTakesNoBudget) {
  const auto soft = with("tq", [](auto& o) {
    o.transfer = Transfer::soft;
    o.kl_budget = 2.0;
  });
  expect_usage({"--kl-budget", "--transfer soft"}, soft);
  EXPECT_NE(make_decoder(with("tq",
                              [](auto& o) {
                                o.transfer = Transfer::indirect;
                                o.kl_budget = 2.0;
                              }),
                         50),
            nullptr);
}

TEST(Factory, BlocksNeedMemoryForTheirTokensToo) {
  const auto work = make_decoder(with("cd", [](auto& o) { o.block = 4; }), 50)->workload(100);
  EXPECT_EQ(work.depth, 24u);
  EXPECT_EQ(work.width, 20u);
}

TEST(Factory, TransferIsForDecodersThatRollOutAndWeigh) {
  for (const std::string name : {"greedy", "sample", "best-of", "args", "cd"}) {
    expect_usage({"the decoder " + name + " has no indirect transfer", "tq and official"},
                 {.name = name, .transfer = Transfer::indirect});
    expect_usage({"the decoder " + name + " has no soft transfer", "--decoder tq"},
                 {.name = name, .transfer = Transfer::soft});
  }
  expect_usage({"official has no soft transfer"}, {.name = "official", .transfer = Transfer::soft});
  for (const Transfer transfer : {Transfer::indirect, Transfer::soft}) {
    EXPECT_TRUE(make_decoder({.name = "tq", .transfer = transfer}, 50)->roles().baseline_reward);
  }
  const DecoderOptions official{.name = "official", .transfer = Transfer::indirect};
  EXPECT_TRUE(make_decoder(official, 50)->roles().baseline_reward);
  EXPECT_FALSE(make_decoder({.name = "tq"}, 50)->roles().baseline_reward);
}

TEST(Factory, OptionsOfTransferThatMakeNoSenseAreErrors) {
  for (const double beta : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    expect_usage({"--beta", "finite number above 0"},
                 {.name = "tq", .transfer = Transfer::soft, .beta = beta});
  }
  for (const double power : {0.0, -0.5, 1.5, std::nan("")}) {
    expect_usage({"--weight-power", "at most 1"},
                 {.name = "tq", .transfer = Transfer::indirect, .weights = {.power = power}});
  }
  for (const double clip : {0.0, 0.99, -1.0, std::nan("")}) {
    expect_usage({"--weight-clip", "1 or more"},
                 {.name = "tq", .transfer = Transfer::indirect, .weights = {.clip = clip}});
  }
  expect_usage({"--transfer soft", "--proposal reference"},
               {.name = "tq", .proposal = Proposal::reference, .transfer = Transfer::soft});
}

TEST(Factory, WarnsWhereTheWeightsOfIndirectTransferCancel) {
  const DecoderOptions one{.name = "tq", .transfer = Transfer::indirect};
  ASSERT_EQ(warnings(one).size(), 1u);
  EXPECT_NE(warnings(one)[0].find("--rollouts 8"), std::string::npos);
  DecoderOptions greedy = one;
  greedy.rollouts = 8;
  EXPECT_TRUE(warnings(greedy).empty());
  greedy.greedy_rollouts = true;
  ASSERT_EQ(warnings(greedy).size(), 1u);
  EXPECT_NE(warnings(greedy)[0].find("--rollout-choose greedy"), std::string::npos);
  DecoderOptions soft = one;
  soft.transfer = Transfer::soft;
  EXPECT_TRUE(warnings(soft).empty());
  EXPECT_TRUE(warnings({.name = "tq"}).empty());
}

TEST(Factory, WhatDecodersThatDrawCantDoIsAnError) {
  expect_usage({"--chunk 0", "1 or more"}, {.name = "cbs", .chunk = 0});
  expect_usage({"--beams 0", "1 or more"}, {.name = "cbs", .beams = 0});
  expect_usage({"--samples 6", "--beams 4", "evenly"}, {.name = "cbs", .samples = 6, .beams = 4});
  EXPECT_NE(make_decoder({.name = "best-of", .samples = 6, .beams = 4}, 50), nullptr);
  for (const double rate : {-0.1, 1.0, std::nan("")}) {
    expect_usage({"--rejection-rate", "below 1"},
                 {.name = "speculative-rejection", .rejection_rate = rate});
  }
  expect_usage({"cards", "--target-reward"}, {.name = "cards"});
  expect_usage({"--target-reward"},
               {.name = "cards", .cards = {.target = std::numeric_limits<double>::infinity()}});
  expect_usage({"--tries 0"}, {.name = "cards", .cards = {.target = 1, .tries = 0}});
  for (const double start : {-0.1, 1.1, std::nan("")}) {
    expect_usage({"--target-start", "between 0"},
                 {.name = "cards", .cards = {.target = 1, .start = start}});
  }
  for (const double entropy : {-1.0, std::nan("")}) {
    expect_usage({"--segment-entropy", "0 or more"},
                 {.name = "cards", .cards = {.target = 1, .entropy = entropy}});
  }
}

TEST(Factory, ARewardOfFinishedResponsesAloneIsRefusedByThoseThatCompareUnfinishedOnes) {
  for (const std::string name : {"args", "official", "cbs", "speculative-rejection"}) {
    expect_usage({"unfinished", name, "best-of"}, {.name = name, .finished_only = true});
  }
  for (const std::string name : {"best-of", "soft-best-of", "cards", "genarm", "cd", "tq"}) {
    const DecoderOptions options{.name = name, .finished_only = true, .cards = {.target = 1}};
    EXPECT_NE(make_decoder(options, 50), nullptr) << name;
  }
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
