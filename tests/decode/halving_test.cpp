// Candidates that are given up on the way: when, which ones, what it saves, and what it may change.
#include "transferq/decode/halving.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "tests/decode/decoding.hpp"

namespace tq {
namespace {

using testing::Answer;
using Positions = std::vector<std::size_t>;

TEST(Halving, PausesAreHalvesOfTheHorizon) {
  EXPECT_EQ(halving_positions(16, 3), (Positions{2, 4, 8}));
  EXPECT_EQ(halving_positions(16, 1), (Positions{8}));
  EXPECT_EQ(halving_positions(16, 4), (Positions{1, 2, 4, 8}));
  EXPECT_EQ(halving_positions(16, 5), (Positions{0, 1, 2, 4, 8}));  // 0: the candidate itself
  EXPECT_EQ(halving_positions(16, 2'000'000), (Positions{0, 1, 2, 4, 8}));
  EXPECT_EQ(halving_positions(5, 2), (Positions{1, 2}));
  EXPECT_EQ(halving_positions(1, 3), (Positions{0}));
  EXPECT_EQ(halving_positions(16, 0), Positions{});
}

TEST(Halving, TheUpperHalfIsRoundedUpAndTiesGoToTheFirst) {
  EXPECT_EQ(highest(std::vector<double>{1, 3, 2, 0}, 2),
            (std::vector<bool>{false, true, true, false}));
  EXPECT_EQ(highest(std::vector<double>{1, 3, 2}, 2), (std::vector<bool>{false, true, true}));
  EXPECT_EQ(highest(std::vector<double>{5, 5, 5, 5}, 2),
            (std::vector<bool>{true, true, false, false}));
  EXPECT_EQ(highest(std::vector<double>{-1}, 4), std::vector<bool>{true});
}

class HalvingTest : public ::testing::Test {
 protected:
  static DecoderOptions options(std::size_t halvings, std::size_t horizon = 8) {
    DecoderOptions out{.name = "tq", .alpha = 0.1, .top_k = 8, .horizon = horizon};
    out.halvings = halvings;
    return out;
  }
  Answer decode(const DecoderOptions& o, const std::shared_ptr<const Reward>& reward,
                std::size_t tokens) const {
    return testing::run(testing::setup_of(endless_, o, reward, tokens), make_prompt("a", "1.2."),
                        testing::session_of(4000, 300));
  }

  const testing::TemporaryFolder folder_;
  const Policy endless_{testing::endless(12), Format::raw};
};

double noise(const Draft& d) { return uniform({.prompt = hash32(d.text.data(), d.text.size())}); }

// 8 candidates, then 8 roll-outs of 1 token, 4 to the second, 2 to the fourth, 1 to the eighth.
TEST_F(HalvingTest, CostIsThatOfTheHalvesThatGoOn) {
  const auto head = testing::head_on(endless_, folder_);
  const auto cost = [&](std::size_t halvings) {
    return decode(options(halvings), head, 12).evaluations.policy;
  };
  EXPECT_LT(cost(3), cost(2));
  EXPECT_LT(cost(2), cost(1));
  EXPECT_LT(cost(1), cost(0));
  DecoderOptions whole = options(3);
  whole.commit = 9;  // one step makes all nine
  EXPECT_EQ(decode(whole, head, 9).evaluations.policy, 8u + 8 * 1 + 4 * 1 + 2 * 2 + 1 * 4);
  whole.halvings = 0;
  EXPECT_EQ(decode(whole, head, 9).evaluations.policy, 8u + 8 * 8);
}

// Near its end a response has room for less than the horizon, and that is what is halved.
TEST_F(HalvingTest, PausesAreThoseOfWhatThereIsRoomFor) {
  const auto head = testing::head_on(endless_, folder_);
  DecoderOptions o = options(1, 100);
  o.commit = 9;
  EXPECT_EQ(decode(o, head, 9).evaluations.policy, 8u + 8 * 4 + 4 * 4);
}

// With greedy roll-outs the likeliest candidate goes on with what the step before found, so the
// best of all roll-outs is never lost on the way.
TEST_F(HalvingTest, TheLikeliestIsNotGivenUpWhereItsRollOutIsKnown) {
  for (const bool greedy : {true, false}) {
    std::size_t given_up = 0;
    DecoderOptions o = options(3, 12);
    o.greedy_rollouts = greedy;
    o.choose = Choose::greedy;
    const Answer out = decode(o, testing::reward_of(noise), 12);
    for (const Step& step : out.steps) {
      for (const CandidateView& c : step.candidates) {
        given_up += c.token == step.plain_choice && c.given_up;
      }
    }
    EXPECT_EQ(given_up == 0, greedy);
    if (!greedy) continue;
    double best = 0;  // the whole response is in each roll-out
    for (const Step& step : out.steps) {
      double chosen = 0;
      for (const CandidateView& c : step.candidates) {
        if (c.token == step.token) chosen = c.value;
      }
      EXPECT_GE(chosen, best - 1e-12);
      best = chosen;
    }
  }
}

// Where the candidate alone decides, nothing is lost.
TEST_F(HalvingTest, TheChoiceIsTheSameWhereEarlyValuesRankLikeFinalOnes) {
  const auto by_first = testing::reward_of([](const Draft& d) {
    return noise({d.text.substr(0, d.text.find('.')), {}, {}, false});
  });
  for (const Choose choose : {Choose::greedy, Choose::sample}) {
    DecoderOptions o = options(0);
    o.choose = choose;
    o.alpha = 1e-3;
    const Answer full = decode(o, by_first, 12);
    o.halvings = 3;
    const Answer half = decode(o, by_first, 12);
    EXPECT_EQ(half.decoded.tokens.front(), full.decoded.tokens.front());
    EXPECT_LT(half.evaluations.policy, full.evaluations.policy);
  }
}

TEST_F(HalvingTest, OnlyThoseThatAreLeftCanBeChosenAndTheirValuesAreThoseOfTheWholeHorizon) {
  for (const std::size_t samples : {1u, 3u}) {
    for (const std::size_t halvings : {1u, 2u, 3u}) {
      DecoderOptions o = options(halvings);
      o.rollouts = samples;
      o.alpha = 0.5;
      const Step half = decode(o, testing::reward_of(noise), 12).steps.front();
      o.halvings = 0;
      const Step full = decode(o, testing::reward_of(noise), 12).steps.front();
      std::size_t left = 0;
      double sum = 0, mass = 0;
      ASSERT_EQ(half.candidates.size(), full.candidates.size());
      for (std::size_t i = 0; i < half.candidates.size(); ++i) {
        EXPECT_TRUE(std::isfinite(half.candidates[i].value));
        sum += half.candidates[i].probability;
        if (half.candidates[i].probability == 0) continue;
        ++left;
        mass += full.candidates[i].probability;
        EXPECT_EQ(half.candidates[i].value, full.candidates[i].value);
      }
      EXPECT_EQ(left, std::size_t{8} >> halvings);
      EXPECT_NEAR(sum, 1, 1e-12);
      for (std::size_t i = 0; i < half.candidates.size(); ++i) {
        if (half.candidates[i].probability == 0) continue;
        EXPECT_NEAR(half.candidates[i].probability, full.candidates[i].probability / mass, 1e-12);
      }
    }
  }
}

TEST(Halving, StandardErrorsAreThoseOfMeans) {
  std::vector<Rollout> rollouts(6);
  for (const std::size_t i : {2u, 3u, 4u}) rollouts[i].candidate = 1;
  rollouts[5].candidate = 3;
  const std::vector<double> rewards{1, 3, 1, 2, 6, 7};
  const std::vector<double> errors = standard_errors(rollouts, rewards, 4);
  ASSERT_EQ(errors.size(), 4u);
  EXPECT_NEAR(errors[0], 1, 1e-12);                   // s^2 = 2, n = 2
  EXPECT_NEAR(errors[1], std::sqrt(7.0 / 3), 1e-12);  // s^2 = 7, n = 3
  EXPECT_EQ(errors[2], 0);                            // no roll-out
  EXPECT_EQ(errors[3], 0);                            // one tells nothing
}

// Between plain halving and none: the more errors, the fewer are given up. The half that stays in
// any case is of a pause at four tokens.
TEST_F(HalvingTest, ConfidenceBoundsKeepWhatIsNotDecided) {
  DecoderOptions o = options(1);
  o.rollouts = 4;
  o.alpha = 0.2;
  std::vector<std::size_t> left;
  std::vector<Answer> answers;
  for (const double errors : {0.0, 0.3, 1.0, 1e6}) {
    o.halving_errors = errors;
    answers.push_back(decode(o, testing::reward_of(noise), 9));
    const auto& shown = answers.back().steps.front().candidates;
    left.push_back(static_cast<std::size_t>(
        std::count_if(shown.begin(), shown.end(), [](const auto& c) { return !c.given_up; })));
  }
  EXPECT_EQ(left.front(), 4u);
  EXPECT_TRUE(std::is_sorted(left.begin(), left.end()));
  EXPECT_GT(left[1], 4u);
  EXPECT_LT(left[1], 8u);
  EXPECT_EQ(left.back(), 8u);
  o.halvings = 0;
  o.halving_errors = 0;
  const Answer all = decode(o, testing::reward_of(noise), 9);
  EXPECT_EQ(answers.back().decoded.tokens, all.decoded.tokens);
  EXPECT_EQ(answers.back().evaluations.policy, all.evaluations.policy);
  EXPECT_LT(answers.front().evaluations.policy, all.evaluations.policy);
}

// The rule itself, computed again from the rewards that were given at the first step's pause.
TEST_F(HalvingTest, ThoseThatAreGivenUpAreBehindByTheirBounds) {
  DecoderOptions o = options(1);
  o.rollouts = 4;
  o.alpha = 0.2;
  o.halving_errors = 0.5;
  std::map<Token, std::vector<double>> at_pause;
  const Answer out = decode(o, testing::reward_of([&](const Draft& d) {
                              // A candidate, four tokens behind it: the first step's pause.
                              if (d.tokens.size() == 5) {
                                at_pause[d.tokens.front()].push_back(noise(d));
                              }
                              return noise(d);
                            }),
                            9);
  struct Bounds {
    double middle, margin;
  };
  std::vector<Bounds> bounds;
  for (const CandidateView& c : out.steps.front().candidates) {
    auto rewards = at_pause.at(c.token);
    rewards.resize(4);  // later steps have drafts of five tokens, too
    double mean = 0, squares = 0;
    for (const double r : rewards) mean += r / 4;
    for (const double r : rewards) squares += (r - mean) * (r - mean);
    bounds.push_back({c.logprob + mean / o.alpha, 0.5 * std::sqrt(squares / 3 / 4) / o.alpha});
  }
  const auto best = std::max_element(bounds.begin(), bounds.end(),
                                     [](auto& a, auto& b) { return a.middle < b.middle; });
  std::vector<double> middles;
  for (const Bounds& b : bounds) middles.push_back(b.middle);
  const std::vector<bool> upper = highest(middles, 4);
  std::size_t kept_in_the_lower_half = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const bool behind = bounds[i].middle + bounds[i].margin <= best->middle - best->margin;
    EXPECT_EQ(out.steps.front().candidates[i].given_up, !upper[i] && behind) << i;
    kept_in_the_lower_half += !upper[i] && !behind;
  }
  EXPECT_GT(kept_in_the_lower_half, 0u);
  EXPECT_LT(kept_in_the_lower_half, 4u);
}

// Before they begin, roll-outs of a candidate do not differ.
TEST_F(HalvingTest, ConfidenceBoundsGiveNobodyUpAtTheCandidate) {
  DecoderOptions o = options(4);  // pauses at 0, 1, 2 and 4
  o.rollouts = 4;
  o.halving_errors = 1e6;
  const auto left = [&] {
    const Step first = decode(o, testing::reward_of(noise), 9).steps.front();
    return std::count_if(first.candidates.begin(), first.candidates.end(),
                         [](const CandidateView& c) { return !c.given_up; });
  };
  EXPECT_EQ(left(), 8);
  o.alpha = std::numeric_limits<double>::infinity();  // then nothing is uncertain
  EXPECT_EQ(left(), 1);
}

TEST_F(HalvingTest, ConfidenceBoundsNeedSeveralDrawsAndMeans) {
  const auto refused = [&](const DecoderOptions& o, const std::vector<std::string>& words) {
    testing::expect_error(ErrorKind::usage, words,
                          [&] { decode(o, testing::reward_of(noise), 9); });
  };
  DecoderOptions sound = options(2);
  sound.rollouts = 4;
  sound.halving_errors = 2;
  DecoderOptions o = sound;
  o.halvings = 0;
  refused(o, {"--halve-errors 2", "add --halve"});
  o = sound;
  o.rollouts = 1;
  refused(o, {"--halve-errors 2", "--rollouts 4"});
  o = sound;
  o.greedy_rollouts = true;
  refused(o, {"--halve-errors 2", "--rollout-choose sample"});
  o = sound;
  o.transfer = Transfer::indirect;
  refused(o, {"--halve-errors 2", "indirect"});
  o = sound;
  o.halving_errors = -1;
  refused(o, {"--halve-errors -1"});
  o = sound;
  o.halvings = 0;
  o.name = "best-of";
  refused(o, {"--halve-errors 2", "best-of"});
}

TEST_F(HalvingTest, AnInfiniteAlphaRanksByTheProposal) {
  DecoderOptions o = options(2);
  o.alpha = std::numeric_limits<double>::infinity();
  const Step step = decode(o, testing::reward_of(noise), 12).steps.front();
  for (std::size_t i = 0; i < step.candidates.size(); ++i) {
    EXPECT_EQ(step.candidates[i].probability > 0, i < 2);  // most probable first
  }
}

// A candidate that ends the response has its value, and costs nothing to keep.
TEST(HalvingOfTables, WhatHasEndedIsNotGivenUp) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Policy policy(testing::random_table(4, 7, seed, Token{3}), Format::raw);
    DecoderOptions o{.name = "tq", .alpha = 0.5, .top_k = 4, .horizon = 4};
    o.halvings = 2;
    const Answer out = testing::run(testing::setup_of(policy, o, testing::reward_of(noise), 6),
                                    make_prompt("a", "1."), testing::session_of(2000, 100));
    for (const Step& step : out.steps) {
      double sum = 0;
      for (const CandidateView& c : step.candidates) {
        sum += c.probability;
        if (c.token == 3) {
          EXPECT_GT(c.probability, 0);
        }
      }
      EXPECT_NEAR(sum, 1, 1e-12);
    }
  }
}

}  // namespace
}  // namespace tq
