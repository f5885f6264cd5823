#include "transferq/eval/judge/win_rate.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tq {
namespace {

constexpr auto kWin = Outcome::win, kTie = Outcome::tie, kLose = Outcome::lose,
               kNone = Outcome::none;

TEST(WinRate, APreferenceIsReadFromWhereTheRunStood) {
  EXPECT_EQ(outcome_of(Preference::first, true), kWin);
  EXPECT_EQ(outcome_of(Preference::first, false), kLose);
  EXPECT_EQ(outcome_of(Preference::second, true), kLose);
  EXPECT_EQ(outcome_of(Preference::second, false), kWin);
  for (const bool first : {true, false}) {
    EXPECT_EQ(outcome_of(Preference::tie, first), kTie);
    EXPECT_EQ(outcome_of(Preference::none, first), kNone);
  }
}

TEST(WinRate, BothOrdersMustAgree) {
  const std::vector<std::vector<Outcome>> table{
      {kWin, kWin, kWin},   {kWin, kTie, kTie},   {kWin, kLose, kTie},   {kWin, kNone, kNone},
      {kTie, kWin, kTie},   {kTie, kTie, kTie},   {kTie, kLose, kTie},   {kTie, kNone, kNone},
      {kLose, kWin, kTie},  {kLose, kTie, kTie},  {kLose, kLose, kLose}, {kLose, kNone, kNone},
      {kNone, kWin, kNone}, {kNone, kTie, kNone}, {kNone, kLose, kNone}, {kNone, kNone, kNone}};
  for (const auto& row : table) EXPECT_EQ(verdict_of(row[0], row[1]), row[2]);
}

TEST(WinRate, NamesSurviveTheWayThere) {
  for (const Outcome o : {kWin, kTie, kLose, kNone}) EXPECT_EQ(outcome_of_name(outcome_name(o)), o);
  EXPECT_EQ(outcome_name(kLose), "lose");
  EXPECT_FALSE(outcome_of_name("loss"));
  EXPECT_FALSE(outcome_of_name(""));
}

TEST(WinRate, CountsEqualAHandComputedCase) {
  // 3 wins, 1 loss, 4 ties (two by the first place, one by the second, one said), 2 unreadable.
  const std::vector<Judgement> all{{kWin, kWin},  {kWin, kWin},  {kWin, kWin},  {kLose, kLose},
                                   {kWin, kLose}, {kWin, kLose}, {kLose, kWin}, {kTie, kWin},
                                   {kNone, kWin}, {kLose, kNone}};
  const WinRate rate = win_rate(all);
  EXPECT_EQ(rate.wins, 3u);
  EXPECT_EQ(rate.ties, 4u);
  EXPECT_EQ(rate.losses, 1u);
  EXPECT_EQ(rate.none, 2u);
  EXPECT_EQ(rate.readable(), 8u);
  EXPECT_EQ(rate.first_both, 2u);
  EXPECT_EQ(rate.second_both, 1u);
  EXPECT_DOUBLE_EQ(rate.win()->value, 0.375);
  EXPECT_DOUBLE_EQ(rate.tie()->value, 0.5);
  EXPECT_DOUBLE_EQ(rate.lose()->value, 0.125);
  EXPECT_DOUBLE_EQ(rate.prefers_first()->value, 0.25);
  EXPECT_DOUBLE_EQ(rate.prefers_second()->value, 0.125);
  EXPECT_DOUBLE_EQ(*rate.mean_points(), 5.0 / 8);
  // Wilson's interval of 4 in 8, with z = 1.959964: z^2 = 3.841459; the centre is 1/2, and the half
  // width is z sqrt(8/4 + z^2/4) / (8 + z^2) = 1.959964 * 1.720573 / 11.841459 = 0.284783.
  EXPECT_NEAR(rate.tie()->low, 0.215217, 1e-5);
  EXPECT_NEAR(rate.tie()->high, 0.784783, 1e-5);
  double sum = 0;
  for (const Judgement& j : all) sum += points(j.verdict()).value_or(0);
  EXPECT_DOUBLE_EQ(sum, 5);
}

TEST(WinRate, WithoutReadablePairsThereIsNoRate) {
  const std::vector<Judgement> all{{kNone, kNone}};
  EXPECT_EQ(win_rate(all).none, 1u);
  EXPECT_FALSE(win_rate(all).win());
  EXPECT_FALSE(win_rate(all).prefers_first());
  EXPECT_FALSE(win_rate({}).mean_points());
}

}  // namespace
}  // namespace tq
