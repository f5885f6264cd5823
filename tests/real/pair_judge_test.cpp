// The default model as a judge of 20 pairs: each question's answer against that of the next
// question, which a good judge never prefers. It is far too small to be one; what is held here is
// that it is asked as it should be. What it says is printed, for docs/parts/judge.md:
//   build/release/tests/real_test --gtest_filter='PairJudge.*'
#include "transferq/eval/judge/pair_judge.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <string>
#include <tuple>
#include <utility>

#include "real_models.hpp"
#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

using QA = std::pair<const char*, const char*>;
constexpr std::array<QA, 20> kAnswers{
    {{"What is the capital of France?", "The capital of France is Paris."},
     {"How many legs has a spider?", "A spider has eight legs."},
     {"Why is the sky blue?", "Air scatters blue light more than red light."},
     {"How do I boil an egg?", "Put it into boiling water for about eight minutes."},
     {"What is two plus three?", "Two plus three is five."},
     {"Who wrote Hamlet?", "William Shakespeare wrote Hamlet."},
     {"What do bees make?", "Bees make honey and wax."},
     {"How can I sleep better?", "Go to bed at the same time each day and avoid coffee at night."},
     {"What is the opposite of hot?", "The opposite of hot is cold."},
     {"How does a plant get energy?", "By photosynthesis: its leaves turn light into sugar."},
     {"What is H2O?", "H2O is the chemical formula of water."},
     {"Name a primary color.", "Red is a primary color."},
     {"How long is a year?", "A year has 365 days, and a leap year one more."},
     {"What is the largest ocean?", "The Pacific is the largest ocean."},
     {"How do I remove a coffee stain?", "Blot it, then wash it with cold water and soap."},
     {"What does a doctor do?", "A doctor treats people who are ill."},
     {"Which planet is closest to the sun?", "Mercury is the closest planet to the sun."},
     {"What is a haiku?", "A short Japanese poem of five, seven and five syllables."},
     {"How can I learn to swim?", "Take lessons at a pool and practise floating first."},
     {"What is the freezing point of water?", "Water freezes at zero degrees Celsius."}}};

WinRate judged(const std::string& list, std::size_t count) {
  ModelStore store;
  const Spec spec = parse_spec(
      list, "judge", {"policy", "ask", "prompt", "max-tokens", "url", "model", "key-env"});
  const auto session = make_pair_judge(spec, store, Format::chat)->open(testing::session_of());
  std::vector<Judgement> all;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [question, answer] = kAnswers[i];
    all.push_back(judge_both(*session, make_prompt("", question), answer,
                             kAnswers[(i + 1) % kAnswers.size()].second));
  }
  const WinRate rate = win_rate(all);
  std::cout << list << ": wins " << rate.wins << ", ties " << rate.ties << ", losses "
            << rate.losses << ", none " << rate.none << "; first in both orders " << rate.first_both
            << ", second " << rate.second_both << "\n";
  EXPECT_EQ(rate.readable() + rate.none, count);
  return rate;
}

TEST(PairJudge, LogitsGiveAVerdictOnEveryPair) {
  const WinRate rate = judged("policy=smollm2,ask=logits", 20);
  EXPECT_EQ(rate.none, 0u);
  EXPECT_EQ(rate.ties, rate.first_both + rate.second_both);  // no order is a tie by itself
}

TEST(PairJudge, AskedTwiceItSaysTheSame) {
  const WinRate once = judged("policy=smollm2,max-tokens=32", 2),
                twice = judged("policy=smollm2,max-tokens=32", 2);
  EXPECT_EQ(std::tuple(once.wins, once.ties, once.losses, once.none, once.first_both),
            std::tuple(twice.wins, twice.ties, twice.losses, twice.none, twice.first_both));
}

// These two take minutes: run them with --gtest_also_run_disabled_tests. The second asks the judge
// of TQ_JUDGE, such as url=http://127.0.0.1:8080/v1,model=default,max-tokens=96.
TEST(PairJudge, DISABLED_WhatItSaysInWords) { judged("policy=smollm2,max-tokens=96", 20); }

TEST(PairJudge, DISABLED_WhatAnotherSays) {
  const char* list = std::getenv("TQ_JUDGE");
  ASSERT_NE(list, nullptr) << "set TQ_JUDGE";
  judged(list, 10);
}

}  // namespace
}  // namespace tq
