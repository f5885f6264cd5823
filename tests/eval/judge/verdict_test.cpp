#include "transferq/eval/judge/verdict.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tq {
namespace {

TEST(Verdict, TheLastBracketedLabelCounts) {
  EXPECT_EQ(verdict_in("[[A]]"), Preference::first);
  EXPECT_EQ(verdict_in("A is terse.\nB is right.\n\n[[B]]\n"), Preference::second);
  EXPECT_EQ(verdict_in("Both fail: [[C]]."), Preference::tie);
  EXPECT_EQ(verdict_in("[[tie]]"), Preference::tie);
  EXPECT_EQ(verdict_in("[[ b ]]"), Preference::second);
  EXPECT_EQ(verdict_in("First I said [[A]], now [[B]]"), Preference::second);
  EXPECT_EQ(verdict_in("[[B]] [[x]]"), Preference::second);
  EXPECT_EQ(verdict_in("[[[A]]]"), Preference::first);
  EXPECT_EQ(verdict_in("[[maybe [[A]]"), Preference::first);
  EXPECT_EQ(verdict_in("[[B]] and then it went on", false), Preference::second);
}

TEST(Verdict, ALoneLabelCountsInACompleteAnswer) {
  for (const std::string text :
       {"A", " A\n", "A.", "**A**", "\"A\"", "(A)", "[A]", "`A`", "[[A", "A]]", "[ [A] ]"}) {
    EXPECT_EQ(verdict_in(text), Preference::first) << text;
    EXPECT_EQ(verdict_in(text, false), Preference::none) << text;
  }
  EXPECT_EQ(verdict_in("B"), Preference::second);
  for (const std::string text : {"C", "tie", "Tie.", "TIE", "[tie]"}) {
    EXPECT_EQ(verdict_in(text), Preference::tie) << text;
  }
}

TEST(Verdict, NothingIsGuessed) {
  for (const std::string text : {"",
                                 " ",
                                 "\n",
                                 "a",
                                 "b",
                                 "c",
                                 "D",
                                 "AB",
                                 "A B",
                                 "A or B",
                                 "A and B",
                                 "A/B",
                                 "A > B",
                                 "A is better",
                                 "B wins",
                                 "Assistant A",
                                 "Assistant B's answer is better.",
                                 "the first",
                                 "second",
                                 "Answer: A",
                                 "I prefer A.",
                                 "[[D]]",
                                 "[[]]",
                                 "[[",
                                 "]]",
                                 "[A][B]",
                                 "[[AB]]",
                                 "[[A or B]]",
                                 "[[A]/[B]]",
                                 "[[Assistant A]]",
                                 "[[first]]",
                                 "yes",
                                 "no",
                                 "1",
                                 "2",
                                 "10/10",
                                 "null",
                                 "{\"winner\": \"A\"}",
                                 "tied",
                                 "a tie",
                                 "it is a tie",
                                 "draw",
                                 "equal",
                                 "\xC3\x84",
                                 "\xCE\x91",
                                 "\xD0\x90",
                                 "\xFF\xFE",
                                 "I'm sorry, but I can't compare them.",
                                 "AAAAAAAA",
                                 "C++",
                                 "B-",
                                 "A+",
                                 "T",
                                 "ti e"}) {
    EXPECT_EQ(verdict_in(text), Preference::none) << text;
  }
  EXPECT_EQ(verdict_in(std::string("A\0", 2)), Preference::none);
  EXPECT_EQ(verdict_in(std::string(100000, '[')), Preference::none);
}

TEST(Verdict, AnEchoOfTheInstructionIsNone) {
  const std::string echo = "\"[[A]]\" if A is better, \"[[B]]\" if B is better, \"[[C]]\" if equal";
  EXPECT_EQ(verdict_in(echo), Preference::none);
  EXPECT_EQ(verdict_in(echo + ".\n[[A]]"), Preference::none);
}

}  // namespace
}  // namespace tq
