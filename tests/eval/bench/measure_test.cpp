// What a bench says a token costs, against what is known to be true of it. No figure in seconds is
// tested but for being one.
#include "transferq/eval/bench/measure.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/decode/decoding.hpp"
#include "transferq/eval/bench/peak_memory.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::setup_of;

class BenchTest : public ::testing::Test {
 protected:
  static BenchOptions options(std::size_t tokens, std::size_t workers = 1) {
    BenchOptions out;
    out.tokens = tokens;
    out.workers = workers;
    out.session = testing::session_of(4000, 60);
    return out;
  }
  static void expect_times(const Measured& m) {
    for (const double x : {m.seconds, m.tokens_a_second, m.first_token}) {
      EXPECT_TRUE(std::isfinite(x));
      EXPECT_GT(x, 0);
    }
  }

  testing::TinyModels tiny_;
  const testing::TemporaryFolder folder_;
  const Policy endless_{testing::endless(12), Format::raw};
  const std::vector<Prompt> prompts_{make_prompt("a", "1.2."), make_prompt("b", "3.4.5."),
                                     make_prompt("c", "6.")};
};

TEST_F(BenchTest, PlainDecodingCostsAnEvaluationAToken) {
  const auto setup = setup_of(endless_, {.name = "greedy"}, nullptr, 40);
  for (const std::size_t workers : {1u, 2u, 7u}) {
    const Measured m = measure_decoding(setup, prompts_, options(10, workers));
    EXPECT_EQ(m.tokens, 30u);
    EXPECT_EQ(m.evaluations, 1.0);
    expect_times(m);
  }
}

TEST_F(BenchTest, AStepOfTransferQStarCostsCandidatesAndRollOuts) {
  const auto reward = testing::head_on(endless_, folder_);
  DecoderOptions o{.name = "tq", .top_k = 4, .horizon = 3};
  const Measured one = measure_decoding(setup_of(endless_, o, reward, 40), prompts_, options(5));
  EXPECT_EQ(one.tokens, 15u);
  EXPECT_EQ(one.evaluations, 4 + 4 * 3.0);
  expect_times(one);
  o.commit = 2;  // whole steps: six tokens for five
  const Measured two = measure_decoding(setup_of(endless_, o, reward, 40), prompts_, options(5));
  EXPECT_EQ(two.tokens, 18u);
  EXPECT_EQ(two.evaluations, (4 + 4 * 3.0) / 2);
  o.commit = 1;
  o.greedy_rollouts = true;  // of the winner's roll-out the first token and the last are new
  const Measured greedy = measure_decoding(setup_of(endless_, o, reward, 40), prompts_, options(5));
  EXPECT_EQ(greedy.evaluations, 4 + 4 * 3.0 - 2);
}

TEST_F(BenchTest, ARewardModelOfItsOwnIsCounted) {
  const Policy other(testing::random_table(12, 1), Format::raw);
  const DecoderOptions o{.name = "args", .top_k = 4};
  const auto setup = setup_of(endless_, o, testing::head_on(other, folder_), 40);
  const Measured m = measure_decoding(setup, prompts_, options(6));
  EXPECT_EQ(m.evaluations, 1 + 4.0);  // the token itself; four candidates by the reward
}

TEST_F(BenchTest, AResponseThatComesAsAWholeIsMeasuredAsAWhole) {
  const auto reward = testing::reward_of([](const Draft& d) { return double(d.tokens.size()); });
  const auto setup = setup_of(endless_, {.name = "best-of", .samples = 4}, reward, 9);
  const Measured m = measure_decoding(setup, {prompts_[0]}, options(5));
  const Evaluations e = testing::run(setup, prompts_[0]).evaluations;
  EXPECT_EQ(m.tokens, 9u);
  EXPECT_EQ(m.evaluations, static_cast<double>(e.policy + e.reference + e.reward) / 9);
  EXPECT_GT(m.evaluations, 3);
  expect_times(m);
}

TEST_F(BenchTest, AResponseThatEndsEarlyIsMeasuredAsFarAsItGoes) {
  const auto setup = setup_of(endless_, {.name = "greedy"}, nullptr, 4);
  const Measured m = measure_decoding(setup, prompts_, options(10));
  EXPECT_EQ(m.tokens, 9u);  // three of each, behind the first
  EXPECT_EQ(m.evaluations, 1.0);
}

TEST_F(BenchTest, TheEngineAlone) {
  const Measured m = measure_engine(endless_, prompts_, {4, 3}, 50, options(5, 2));
  EXPECT_EQ(m.tokens, 3u * 60);
  EXPECT_EQ(m.evaluations, 1.0);
  EXPECT_GT(m.evaluations_a_second, 0);
  expect_times(m);
  const Policy tiny(tiny_.load({.seed = 3}), Format::chat);
  const Measured real =
      measure_engine(tiny, {make_prompt("a", "The good")}, {4, 3}, 20, options(5));
  EXPECT_EQ(real.tokens, 24u);
}

TEST_F(BenchTest, AStopIsAnInterruption) {
  std::stop_source stop;
  stop.request_stop();
  BenchOptions o = options(5);
  o.stop = stop.get_token();
  const auto setup = setup_of(endless_, {.name = "greedy"}, nullptr, 40);
  expect_error(ErrorKind::interrupted, {"interrupted"},
               [&] { measure_decoding(setup, prompts_, o); });
  expect_error(ErrorKind::interrupted, {"interrupted"}, [&] {
    measure_engine(endless_, prompts_, {4, 3}, 50, o);
  });
}

TEST_F(BenchTest, PromptsHaveAboutTheLengthAskedFor) {
  const Policy policy(tiny_.load({.seed = 3}), Format::raw);
  const auto length = [&](std::size_t tokens, std::size_t number) {
    return policy.encode(bench_prompt(policy, tokens, number)).size();
  };
  const std::size_t sentence = length(400, 0) - length(400, 0) / 2;
  for (const std::size_t tokens : {40u, 150u, 400u}) {
    EXPECT_LE(length(tokens, 0), tokens);
    EXPECT_GE(length(tokens, 0) + sentence, tokens);
  }
  EXPECT_NE(policy.render(bench_prompt(policy, 150, 0)),
            policy.render(bench_prompt(policy, 150, 1)));
  expect_error(ErrorKind::usage, {"2 are too few"}, [&] { bench_prompt(policy, 2, 0); });
}

TEST(BatchShape, IsThatOfMostOfTheWork) {
  const auto shape = [](DecoderOptions o) {
    const BatchShape s = batch_shape(o);
    return std::pair(s.width, s.depth);
  };
  using Pair = std::pair<std::size_t, std::size_t>;
  EXPECT_EQ(shape({.name = "greedy"}).first, 1u);
  EXPECT_EQ(shape({.name = "args", .top_k = 7}), Pair(7, 1));
  const DecoderOptions tq{.name = "tq", .top_k = 5, .horizon = 6, .rollouts = 3};
  EXPECT_EQ(shape(tq), Pair(15, 7));
  DecoderOptions greedy = tq;
  greedy.greedy_rollouts = true;
  EXPECT_EQ(shape(greedy), Pair(5, 7));
  EXPECT_EQ(shape({.name = "cbs", .samples = 12}).first, 12u);
}

TEST(PeakMemory, SeesWhatWasThereForAWhile) {
  const PeakMemory before;
  const auto start = before.peak_mib();
  if (!start) GTEST_SKIP() << "the system does not tell";
  const PeakMemory peak;
  { const std::vector<char> much(std::size_t{96} << 20, 1); }
  EXPECT_GT(*peak.peak_mib(), *start + 80);
}

}  // namespace
}  // namespace tq
