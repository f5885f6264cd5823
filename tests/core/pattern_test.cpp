#include "transferq/core/pattern.hpp"

#include <gtest/gtest.h>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

// The message of the error of that kind, or "" if there is none.
template <typename Call>
std::string complaint(ErrorKind kind, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  return "";
}

TEST(Pattern, CountsMatchesWithoutOverlap) {
  EXPECT_EQ(Pattern("aa").count("aaaaa"), 2u);
  EXPECT_EQ(Pattern("[0-9]+").count("1, 22 and 333"), 3u);
  EXPECT_EQ(Pattern("^a").count("aaa"), 1u);
  EXPECT_EQ(Pattern("a$").count("aaa"), 1u);
  EXPECT_EQ(Pattern("(?<=a)a").count("aaa"), 2u);
  EXPECT_EQ(Pattern("x").count(""), 0u);
}

// As Python's re counts them: [len(re.findall(p, t)) ...].
TEST(Pattern, CountsEmptyMatches) {
  EXPECT_EQ(Pattern("").count("abc"), 4u);
  EXPECT_EQ(Pattern("").count(""), 1u);
  EXPECT_EQ(Pattern("b*").count("abc"), 4u);  // before a, b, behind b, at the end
  EXPECT_EQ(Pattern("\\b").count("two words"), 4u);
  EXPECT_EQ(Pattern("").count("\xC3\xA9t\xC3\xA9"), 4u);
}

TEST(Pattern, ReadsCharactersAndNotBytes) {
  EXPECT_EQ(Pattern(".").count("\xC3\xA9t\xC3\xA9"), 3u);
  EXPECT_EQ(Pattern("\\w+").count("d\xC3\xA9j\xC3\xA0 vu"), 2u);
  EXPECT_EQ(Pattern("(?i)\xC3\x89").count("\xC3\xA9"), 1u);
}

TEST(Pattern, BytesThatAreNoTextMatchNothing) {
  EXPECT_EQ(Pattern("a.?").count("a\xFF"
                                 "a"),
            2u);
  EXPECT_EQ(Pattern(".").count("\xC3"), 0u);
  EXPECT_EQ(Pattern("b").count("\xE4\xB8"
                               "b"),
            1u);
}

TEST(Pattern, ALongTextNeedsNoDeepStack) {
  EXPECT_EQ(Pattern("(w|o|r|d| )+x").count(std::string(1 << 20, 'w') + "x"), 1u);
}

TEST(Pattern, EndlessBacktrackingIsAnError) {
  EXPECT_NE(
      complaint(ErrorKind::input, [] { Pattern("(a+)+[bc]$").count(std::string(64, 'a') + "bd"); })
          .find("backtracks less"),
      std::string::npos);
}

TEST(Pattern, AMalformedExpressionIsAnErrorThatNamesIt) {
  for (const std::string expression : {"(", "[a", "*", "a{2,1}", "\\", "\xFF"}) {
    const std::string said = complaint(ErrorKind::usage, [&] { Pattern{expression}; });
    EXPECT_NE(said.find("malformed at character"), std::string::npos) << said;
    EXPECT_NE(said.find("'" + expression + "'"), std::string::npos) << said;
  }
}

}  // namespace
}  // namespace tq
