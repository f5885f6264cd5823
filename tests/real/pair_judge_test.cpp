// The default model as a judge of 20 pairs: each question's answer against that of the next
// question, which a good judge never prefers. It is far too small to be one (against garbage, too,
// its odds move either way); what is held here is that it is asked as it should be. What it says is
// printed, for docs/parts/judge.md:
//   build/release/tests/real_test --gtest_filter='PairJudge.*'
#include "transferq/eval/judge/pair_judge.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "real_models.hpp"
#include "tests/policy/tiny_policy.hpp"
#include "transferq/eval/judge/judge_template.hpp"

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

std::unique_ptr<JudgeSession> session(ModelStore& store, const std::string& list) {
  const Spec spec =
      parse_spec(list, "judge",
                 {"policy", "ask", "prompt", "max-tokens", "margin", "url", "model", "key-env"});
  return make_pair_judge(spec, store, Format::chat)->open(testing::session_of());
}

// The right answer to a question, or that to the next one.
const char* answer(std::size_t i, std::size_t next = 0) {
  return kAnswers[(i + next) % kAnswers.size()].second;
}

WinRate judged(const std::string& list, std::size_t count) {
  ModelStore store;
  const auto judge = session(store, list);
  std::vector<Judgement> all;
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back(judge_both(*judge, make_prompt("", kAnswers[i].first), answer(i), answer(i, 1)));
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

// ln P(A) - ln P(B) behind what the judge is asked, read from the model itself.
double odds(const Policy& judge, const std::string& question, const std::string& first,
            const std::string& second) {
  std::string text = default_logits_prompt();
  for (const auto& [place, by] :
       {std::pair("{prompt}", question), {"{first}", first}, {"{second}", second}}) {
    text.replace(text.find(place), std::string(place).size(), by);
  }
  const Model& model = judge.model();
  const auto logits = testing::evaluate(model, judge.encode(make_prompt("", text))).logits;
  const auto letter = [&](const std::string& name) {
    double sum = 0;
    for (const std::string before : {"", " "}) {
      const auto tokens = model.tokenize(before + name, false);
      EXPECT_EQ(tokens.size(), 1u);
      sum += std::exp(logits[static_cast<std::size_t>(tokens.front())]);
    }
    return std::log(sum);
  };
  return letter("A") - letter("B");
}

// It leans to what stands first, by 1.6 nats or so: this margin has it say both.
constexpr double kMargin = 1.8;
const std::string kLeaning = "policy=smollm2,ask=logits,margin=1.8";
constexpr const char* kGarbage = "zq zq zq ;; 88 zq zq";
constexpr std::size_t kPairs = 4;

TEST(PairJudge, VerdictsAreTheOddsOfItsLetters) {
  ModelStore store;
  const auto judge = session(store, kLeaning);
  const Policy policy(store.model("smollm2"), Format::chat);
  std::size_t firsts = 0, ties = 0;
  for (std::size_t i = 0; i < kPairs; ++i) {
    const std::string question = kAnswers[i].first;
    for (const auto& [first, second] :
         {std::pair(answer(i), kGarbage), std::pair(kGarbage, answer(i))}) {
      const double expected = odds(policy, question, first, second);
      if (std::abs(std::abs(expected) - kMargin) < 0.05) continue;  // batches round differently
      const Preference said = judge->ask(make_prompt("", question), first, second, {});
      ASSERT_LT(-kMargin, expected);
      EXPECT_EQ(said, expected > kMargin ? Preference::first : Preference::tie)
          << question << ": " << expected;
      ++(said == Preference::first ? firsts : ties);
    }
  }
  EXPECT_GE(firsts, 2u);
  EXPECT_GE(ties, 2u);
}

// In a session of its own and in the other order: nothing is left of what was asked before.
TEST(PairJudge, AskedTwiceItSaysTheSame) {
  ModelStore store;
  const auto once = session(store, kLeaning), again = session(store, kLeaning);
  const auto ask = [](JudgeSession& judge, std::size_t i) {
    const Judgement out =
        judge_both(judge, make_prompt("", kAnswers[i].first), answer(i), kGarbage);
    return std::pair(out.first, out.second);
  };
  std::vector<std::pair<Outcome, Outcome>> first, second(kPairs);
  for (std::size_t i = 0; i < kPairs; ++i) first.push_back(ask(*once, i));
  for (std::size_t i = kPairs; i-- > 0;) second[i] = ask(*again, i);
  EXPECT_EQ(first, second);
  std::set<std::pair<Outcome, Outcome>> different(first.begin(), first.end());
  EXPECT_GE(different.size(), 2u);  // or it would be no wonder
  for (const auto& [one, two] : first) {
    EXPECT_NE(one, Outcome::none);
    EXPECT_NE(two, Outcome::none);
  }
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
