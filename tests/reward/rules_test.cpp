#include "transferq/reward/rules.hpp"

#include <gtest/gtest.h>

#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

using testing::expect_error;

double score(const Reward& reward, const std::string& text) {
  SessionPool pool(testing::session_of());
  const auto scorer = reward.open(make_prompt("a", "a prompt of good words"), pool, {});
  const std::vector<Draft> drafts{{text, {}, {}, false}};
  EXPECT_EQ(scorer->evaluations() + scorer->prompt_evaluations(), 0u);
  return scorer->score(drafts).at(0);
}

TEST(LengthRule, IsZeroAtTheTargetAndFallsOnBothSides) {
  const auto rule = make_length_rule(4);
  EXPECT_EQ(score(*rule, "one two three four"), 0.0);
  EXPECT_EQ(score(*rule, "  one\ttwo\n\nthree  four "), 0.0);
  EXPECT_EQ(score(*rule, "one two three"), -0.25);
  EXPECT_EQ(score(*rule, "one two three four five six"), -0.5);
  EXPECT_EQ(score(*rule, ""), -1.0);
  EXPECT_FALSE(rule->info().range.bounded());
}

TEST(LengthRule, CountsWordsOfAnyAlphabet) {
  EXPECT_EQ(score(*make_length_rule(2), "d\xC3\xA9j\xC3\xA0 \xE4\xB8\xAD\xE6\x96\x87"), 0.0);
}

TEST(LengthRule, NeedsATarget) {
  expect_error(ErrorKind::usage, {"length=50"}, [] { make_length_rule(0); });
}

TEST(RegexRule, CountsMatchesUpToTheCap) {
  EXPECT_EQ(score(*make_regex_rule("[0-9]+", 0), "1, 22 and 333"), 3.0);
  EXPECT_EQ(score(*make_regex_rule("[0-9]+", 2), "1, 22 and 333"), 2.0);
  EXPECT_EQ(score(*make_regex_rule("^Dear\\b", 1), "Dear you, Dear me"), 1.0);
  EXPECT_EQ(score(*make_regex_rule("x", 0), "abc"), 0.0);
  EXPECT_EQ(score(*make_regex_rule("x", 0), ""), 0.0);
  EXPECT_EQ(score(*make_regex_rule("\xC3\xA9", 0), "\xC3\xA9t\xC3\xA9"), 2.0);
  EXPECT_FALSE(make_regex_rule("x", 0)->info().range.bounded());
  EXPECT_TRUE(make_regex_rule("x", 3)->info().range.bounded());
}

TEST(RegexRule, AMalformedPatternIsAnErrorThatNamesIt) {
  for (const std::string pattern : {"(", "[a", "*", "a{2,1}", "\\"}) {
    expect_error(ErrorKind::usage, {"'" + pattern + "'", "malformed"},
                 [&] { make_regex_rule(pattern, 0); });
  }
}

TEST(WordRule, CountsWantedLessAvoidedWords) {
  const auto rule = make_word_rule({"happy", "glad"}, {"sad"}, 0);
  EXPECT_EQ(score(*rule, "Happy, GLAD and happy; not sad!"), 2.0);
  EXPECT_EQ(score(*rule, "unhappy gladly sadness"), 0.0);
  EXPECT_EQ(score(*rule, "sad sad"), -2.0);
  EXPECT_EQ(score(*rule, ""), 0.0);
}

TEST(WordRule, TheCapBoundsEachKind) {
  const auto rule = make_word_rule({"good"}, {"bad"}, 2);
  EXPECT_EQ(score(*rule, "good good good good bad"), 1.0);
  EXPECT_EQ(score(*rule, "bad bad bad good"), -1.0);
  EXPECT_TRUE(rule->info().range.bounded());
}

TEST(WordRule, WordsMayHaveApostrophesAndAccents) {
  EXPECT_EQ(score(*make_word_rule({"don't"}, {}, 0), "Don't, don t"), 1.0);
  const auto accent = make_word_rule({"\xC3\xA9t\xC3\xA9"}, {}, 0);
  EXPECT_EQ(score(*accent, "l'\xC3\xA9t\xC3\xA9"), 0.0);  // one word
  EXPECT_EQ(score(*accent, "\xC3\xA9t\xC3\xA9, \xC3\xA9t\xC3\xA9s"), 1.0);
}

TEST(WordRule, OneListIsEnoughButNoneIsAnError) {
  EXPECT_EQ(score(*make_word_rule({}, {"sad"}, 0), "so sad"), -1.0);
  expect_error(ErrorKind::usage, {"words=", "avoid="}, [] { make_word_rule({}, {}, 0); });
}

TEST(Rules, FingerprintsTellEveryOptionApart) {
  EXPECT_NE(make_length_rule(4)->info().fingerprint, make_length_rule(5)->info().fingerprint);
  EXPECT_NE(make_regex_rule("a", 1)->info().fingerprint,
            make_regex_rule("a", 2)->info().fingerprint);
  EXPECT_NE(make_word_rule({"a"}, {"b"}, 0)->info().fingerprint,
            make_word_rule({"b"}, {"a"}, 0)->info().fingerprint);
  EXPECT_EQ(make_word_rule({"a", "B"}, {}, 0)->info().fingerprint,
            make_word_rule({"b", "A"}, {}, 0)->info().fingerprint);
}

TEST(Rules, BytesThatAreNoCharactersDoNoHarm) {
  const std::string text = "good \xFF\xC3 good \xE4\xB8";
  EXPECT_EQ(score(*make_word_rule({"good"}, {}, 0), text), 2.0);
  EXPECT_EQ(score(*make_regex_rule("good", 0), text), 2.0);
  EXPECT_EQ(score(*make_length_rule(4), text), 0.0);
}

}  // namespace
}  // namespace tq
