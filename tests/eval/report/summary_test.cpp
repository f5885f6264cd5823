#include "transferq/eval/report/summary.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "transferq/eval/report/wording.hpp"

namespace tq::report {
namespace {

Answer answer(std::size_t run, std::size_t prompt, double reward, std::uint64_t seed = 0) {
  Answer a;
  a.run = run;
  a.prompt = prompt;
  a.seed = seed;
  a.reward = reward;
  a.kl = 2.0;
  a.kl_kind = run == 0 ? "exact" : "bound";
  a.tokens = prompt == 0 ? 10 : 30;
  a.evaluations = 80;
  a.seconds = 2;
  return a;
}

// Two runs, two prompts: "plain" has 1 and 3; "tq" has 2 and (5 + 7) / 2 by two seeds.
Results two_runs() {
  Results r;
  r.runs = {{"plain", "sample", {}}, {"tq 1", "tq", {}}};
  r.against = "plain";
  r.prompts = {{"a", "A", {}}, {"b", "B", {}}};
  r.answers = {answer(0, 0, 1), answer(0, 1, 3), answer(1, 0, 2), answer(1, 1, 5),
               answer(1, 1, 7, 1)};
  return r;
}

TEST(ReportSummary, AveragesSeedsFirstAndPairsByPrompt) {
  const Summary s = summarise(two_runs());
  EXPECT_DOUBLE_EQ(s.runs[0].reward.mean->mean, 2);
  EXPECT_DOUBLE_EQ(s.runs[1].reward.mean->mean, 4);  // (2 + 6) / 2
  EXPECT_DOUBLE_EQ(s.runs[1].reward.difference->mean, 2);
  EXPECT_DOUBLE_EQ(s.runs[1].reward.difference->low, 1);
  EXPECT_DOUBLE_EQ(s.runs[1].reward.difference->high, 3);
  EXPECT_DOUBLE_EQ(*s.runs[1].reward.p, 0.5);  // 2 of 4 sign patterns
  EXPECT_FALSE(s.runs[0].reward.difference);
  EXPECT_DOUBLE_EQ(*s.runs[0].normalised, 0);
  EXPECT_DOUBLE_EQ(*s.runs[1].normalised, 1);
  EXPECT_EQ(s.runs[1].responses, 3u);
  EXPECT_EQ(s.runs[1].prompts, 2u);
  EXPECT_DOUBLE_EQ(*s.runs[0].evaluations, 160.0 / 40);
  EXPECT_DOUBLE_EQ(*s.runs[0].seconds, 4.0 / 40);
  EXPECT_EQ(s.runs[1].kl_kind, "bound");
}

TEST(ReportSummary, ADifferenceIsOverThePromptsOfBoth) {
  Results r = two_runs();
  r.answers.erase(r.answers.begin() + 1);  // plain's prompt b
  const Summary s = summarise(r);
  EXPECT_EQ(s.runs[1].reward.difference->n, 1u);
  EXPECT_DOUBLE_EQ(s.runs[1].reward.difference->mean, 1);
}

TEST(ReportSummary, CountsTheJudgeAndItsBias) {
  Results r = two_runs();
  const auto judged = [&](Outcome first, Outcome second) {
    r.judged.push_back({1, "a", "plain", "j", {first, second}});
  };
  judged(Outcome::win, Outcome::win);
  judged(Outcome::win, Outcome::lose);  // the first place twice
  judged(Outcome::lose, Outcome::win);  // the second place twice
  judged(Outcome::lose, Outcome::lose);
  judged(Outcome::none, Outcome::win);
  const WinRate j = *summarise(r).runs[1].judged;
  EXPECT_EQ(std::tuple(j.wins, j.ties, j.losses, j.none, j.first_both, j.second_both, j.readable()),
            std::tuple(1u, 2u, 1u, 1u, 1u, 1u, 4u));
}

TEST(ReportSummary, TheFrontierIsWhatNothingBeatsInBoth) {
  const std::vector<Point> points{{1, 0}, {1, 1}, {5, 0.5}, {4, 2}, {9, 2}, {8, 3}};
  EXPECT_EQ(frontier(points), (std::vector<std::size_t>{1, 3, 5}));
}

TEST(ReportVerdict, SaysWhetherTheOrderIsShown) {
  EXPECT_NE(verdict(summarise(two_runs())).find("can't be judged: no rewards of args, cd"),
            std::string::npos);
  Results r;
  r.against = "plain";
  r.runs = {{"plain", "sample", {}}, {"args", "args", {}}, {"cd", "cd", {}}, {"tq", "tq", {}}};
  for (std::size_t p = 0; p < 12; ++p) {
    r.prompts.push_back({std::to_string(p), "P", {}});
    for (std::size_t run = 0; run < 4; ++run) {
      r.answers.push_back(answer(run, p, static_cast<double>(run == 2 ? 1 : run)));
    }
  }
  EXPECT_NE(verdict(summarise(r)).find("TQ* is shown"), std::string::npos);
  for (Answer& a : r.answers) {
    if (a.run == 2) a.reward = 5;  // cd beats tq
  }
  const std::string no = verdict(summarise(r));
  EXPECT_NE(no.find("TQ* is not shown: tq over cd is -2.000"), std::string::npos) << no;
  EXPECT_EQ(no.rfind("cd has the most reward: 5.000 more than plain", 0), 0u) << no;
}

TEST(ReportWording, Numbers) {
  EXPECT_EQ(number(0.12345), "0.123");
  EXPECT_EQ(number(-0.0), "0.000");
  EXPECT_EQ(number(212.04), "212.0");
  EXPECT_EQ(number(0.0001), "0.0001");
  EXPECT_EQ(number(std::optional<double>()), "–");
  EXPECT_EQ(interval(Estimate{1, 0.5, 2, 9}, true), "+1.000 (+0.500 to +2.000)");
  EXPECT_EQ(interval(Estimate{1, 1, 1, 1}), "1.000 (one prompt)");
  EXPECT_EQ(p_value(0.0004), "<0.001");
}

}  // namespace
}  // namespace tq::report
