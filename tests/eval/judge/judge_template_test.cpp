#include "transferq/eval/judge/judge_template.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

using testing::expect_error;
using Place = JudgeTemplate::Place;

std::string fill(const JudgeTemplate& t, const std::string& p, const std::string& a,
                 const std::string& b) {
  return t.fill([&](Place place) -> std::string_view {
    if (place == Place::prompt) return p;
    return place == Place::first ? a : b;
  });
}

TEST(JudgeTemplate, WhatIsFilledInIsNotLookedInto) {
  const JudgeTemplate t("{prompt}|{first}|{second}|{json: {}}", "x");
  EXPECT_EQ(fill(t, "{first}", "{second}", "{prompt}"), "{first}|{second}|{prompt}|{json: {}}");
  EXPECT_EQ(fill(JudgeTemplate("{second}{first}{prompt}", "x"), "1", "2", "3"), "321");
}

TEST(JudgeTemplate, MissingPlacesAreNamed) {
  const auto refuse = [](const std::string& text, std::vector<std::string> words) {
    words.push_back("my.txt");
    expect_error(ErrorKind::input, words, [&] { JudgeTemplate(text, "my.txt"); });
  };
  refuse("", {"no {prompt} and no {first} and no {second}"});
  refuse("{prompt} {first}", {"has no {second}; it needs"});
  refuse("{question} {answer_a} {first} {second}", {"has no {prompt}"});
  refuse("{prompt} {First} {second}", {"has no {first}"});
  refuse("{prompt} {first} {second} {first}", {"{first} 2 times"});
  refuse("{prompt} {first} {second} \xFF", {"UTF-8", "byte 26"});
}

TEST(JudgeTemplate, AFileIsReadWithoutItsLastLineEnd) {
  testing::TemporaryFolder folder;
  const auto file = folder / "judge.txt";
  std::ofstream(file) << "{prompt}\n{first}\n{second}\nWhich?\r\n";
  EXPECT_EQ(JudgeTemplate::read(file).text(), "{prompt}\n{first}\n{second}\nWhich?");
  expect_error(ErrorKind::io, {"no.txt"}, [&] { JudgeTemplate::read(folder / "no.txt"); });
  std::ofstream(file) << "{prompt}";
  expect_error(ErrorKind::input, {file.string(), "{first}"}, [&] { JudgeTemplate::read(file); });
}

TEST(JudgeTemplate, TheShippedOnesAreComplete) {
  for (const std::string& text : {default_pair_prompt(), default_logits_prompt()}) {
    EXPECT_NE(fill({text, "shipped"}, "PP", "FF", "SS").find("SS"), std::string::npos);
  }
}

TEST(JudgeTemplate, AConversationIsWrittenWithItsRoles) {
  EXPECT_EQ(conversation_text({{"user", "Hi"}}), "Hi");
  EXPECT_EQ(conversation_text({{"user", "Hi"}, {"assistant", "Yes?"}, {"user", "Why?"}}),
            "user: Hi\n\nassistant: Yes?\n\nuser: Why?");
  EXPECT_EQ(conversation_text({}), "");
}

}  // namespace
}  // namespace tq
