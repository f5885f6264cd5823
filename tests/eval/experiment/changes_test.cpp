// Which characters a decoder chose against the proposal's likeliest token.
#include "transferq/eval/experiment/changes.hpp"

#include <gtest/gtest.h>

#include "tests/decode/decoding.hpp"
#include "transferq/core/text.hpp"

namespace tq {
namespace {

using Spans = std::vector<CharacterSpan>;
constexpr Token kOwn = 7, kOther = 8;

// A step whose candidates are the proposal's likeliest token and another, which may be taken.
Step step(const std::string& text, bool taken_other) {
  Step out;
  out.candidates = {{kOwn, "own", -0.1, 0, 0.5}, {kOther, "other", -1, 1, 0.5}};
  out.chosen = taken_other ? 1 : 0;
  out.token = taken_other ? kOther : kOwn;
  out.text = text;
  out.plain_choice = kOwn;
  return out;
}

Spans spans_of(const std::vector<std::pair<std::string, bool>>& steps, std::string text = "") {
  ChangedSpans changes;
  const bool joined = text.empty();
  for (const auto& [piece, taken_other] : steps) {
    changes.add(step(piece, taken_other));
    if (joined) text += piece;
  }
  return changes.spans(replace_invalid_utf8(text));
}

TEST(Changes, AStepIsChangedWhereBothTokensWereWeighed) {
  EXPECT_TRUE(changed(step("x", true)));
  EXPECT_FALSE(changed(step("x", false)));
  Step one = step("x", true);
  one.candidates.erase(one.candidates.begin());  // the likeliest was no candidate
  EXPECT_FALSE(changed(one));
  one.candidates.clear();  // as of a decoder that weighs none
  EXPECT_FALSE(changed(one));
}

TEST(Changes, SpansAreCharactersOfTheText) {
  EXPECT_EQ(spans_of({}), Spans{});
  EXPECT_EQ(spans_of({{"The", false}, {" sea", false}}), Spans{});
  EXPECT_EQ(spans_of({{"The", false}, {" sea", true}, {" is", false}}), (Spans{{3, 7}}));
  EXPECT_EQ(
      spans_of({{"\u00e4\u00f6", false}, {"\u20ac", true}, {"x", false}, {"\U0001f600", true}}),
      (Spans{{2, 3}, {4, 5}}));
}

TEST(Changes, SpansThatTouchAreOne) {
  EXPECT_EQ(spans_of({{"a", true}, {"bc", true}, {"d", false}, {"e", true}}),
            (Spans{{0, 3}, {4, 5}}));
  // A token without text, changed or not, parts nothing.
  EXPECT_EQ(spans_of({{"a", true}, {"", true}, {"b", true}, {"", false}, {"c", true}}),
            (Spans{{0, 3}}));
}

// A token that holds a part of a character has the whole of it.
TEST(Changes, HalfCharacters) {
  const std::string smile = "\U0001f600";
  const std::string a = smile.substr(0, 1), b = smile.substr(1, 2), c = smile.substr(3);
  for (const auto& [first, second, third] : std::vector<std::tuple<bool, bool, bool>>{
           {true, false, false}, {false, true, false}, {false, false, true}, {true, true, true}}) {
    EXPECT_EQ(spans_of({{"x", false}, {a, first}, {b, second}, {c, third}, {"y", false}}),
              (Spans{{1, 2}}));
  }
  EXPECT_EQ(spans_of({{"x" + a, true}, {b + c + "y", false}, {"z", false}}), (Spans{{0, 2}}));
  EXPECT_EQ(spans_of({{"x" + a, false}, {b + c + "y", true}, {"z", false}}), (Spans{{1, 3}}));
}

// Bytes that are no character are shown as replacement characters, and counted as those.
TEST(Changes, BytesThatAreNoCharacters) {
  EXPECT_EQ(spans_of({{"\xff\xfe", false}, {"ab", true}}), (Spans{{2, 4}}));
  EXPECT_EQ(spans_of({{"a", false}, {"\xff", true}, {"b", false}}), (Spans{{1, 2}}));
  // The beginning of a character at the end of a response is no part of its text.
  EXPECT_EQ(spans_of({{"a", false}, {"\xf0\x9f", true}}, "a"), Spans{});
  // A beginning that the next token does not go on with.
  EXPECT_EQ(spans_of({{"a\xf0\x9f", false}, {"bc", true}}), (Spans{{1, 4}}));
}

// The token that ends a response is no part of its text.
TEST(Changes, TheEndToken) {
  EXPECT_EQ(spans_of({{"ab", false}, {"<end>", true}}, "ab"), Spans{});
  EXPECT_EQ(spans_of({{"ab", true}, {"<end>", true}}, "ab"), (Spans{{0, 2}}));
  ChangedSpans only_end;
  only_end.add(step("<end>", true));
  EXPECT_EQ(only_end.spans(""), Spans{});
}

// On a decoder's own steps: each changed token is in a span, and each other outside of all.
TEST(Changes, OfADecoderThatReweighs) {
  const Policy policy(testing::random_table(4, 8, 3, Token{3}), Format::raw);
  const auto reward = testing::reward_of([](const Draft& draft) {
    return static_cast<double>(std::count(draft.text.begin(), draft.text.end(), '1'));
  });
  const auto setup =
      testing::setup_of(policy, {.name = "tq", .alpha = 0.3, .top_k = 4, .horizon = 2}, reward, 6);
  std::size_t inside = 0, outside = 0;
  for (int i = 0; i < 20; ++i) {
    const auto answer = testing::run(setup, make_prompt(std::to_string(i), "01"));
    ChangedSpans changes;
    for (const Step& step : answer.steps) changes.add(step);
    const Spans spans = changes.spans(answer.decoded.text);
    for (std::size_t k = 0; k < answer.decoded.text.size(); ++k) {  // a character a token
      const bool in = std::any_of(spans.begin(), spans.end(), [&](const CharacterSpan& s) {
        return k >= s.first && k < s.second;
      });
      EXPECT_EQ(in, answer.steps[k].token != answer.steps[k].plain_choice);
      ++(in ? inside : outside);
    }
  }
  EXPECT_GT(inside, 10u);
  EXPECT_GT(outside, 10u);
}

}  // namespace
}  // namespace tq
