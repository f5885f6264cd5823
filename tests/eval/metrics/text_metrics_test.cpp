#include "transferq/eval/metrics/text_metrics.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tq {
namespace {

TEST(TextMetrics, ByHand) {
  // Six bigrams, of which ab, bc, ca, cd differ; five trigrams: abc, bca, cab, bcd; four 4-grams.
  const TextMetrics m = text_metrics("a b c a b c d");
  EXPECT_EQ(m.words, 7u);
  EXPECT_NEAR(*m.rep_2, 100 * (1 - 4.0 / 6), 1e-12);
  EXPECT_NEAR(*m.rep_3, 100 * (1 - 4.0 / 5), 1e-12);
  EXPECT_EQ(*m.rep_4, 0);
  EXPECT_NEAR(*m.diversity, 4.0 / 6 * 4 / 5, 1e-12);
}

TEST(TextMetrics, OneWordForEverRepeatsItself) {
  const TextMetrics m = text_metrics("no no no no no no");
  EXPECT_NEAR(*m.rep_2, 80, 1e-12);
  EXPECT_NEAR(*m.rep_3, 75, 1e-12);
  EXPECT_NEAR(*m.rep_4, 100 * (1 - 1.0 / 3), 1e-12);
  EXPECT_NEAR(*m.diversity, 1.0 / 5 / 4 / 3, 1e-12);
}

TEST(TextMetrics, TheLastNGramCounts) {
  EXPECT_NEAR(*text_metrics("x y x y").rep_2, 100.0 / 3, 1e-12);
}

TEST(TextMetrics, AShortResponseHasNoRepetition) {
  const std::string words[] = {"", "one", "one two", "one two three", "one two three four"};
  for (std::size_t n = 0; n < 5; ++n) {
    const TextMetrics m = text_metrics(words[n]);
    EXPECT_EQ(m.words, n);
    EXPECT_EQ(m.rep_2.has_value(), n >= 2);
    EXPECT_EQ(m.rep_3.has_value(), n >= 3);
    EXPECT_EQ(m.rep_4.has_value(), n >= 4);
    EXPECT_EQ(m.diversity.has_value(), n >= 4);
  }
  EXPECT_EQ(*text_metrics("one two three four").diversity, 1);
}

TEST(TextMetrics, WordsLieBetweenWhiteSpaceOfAnyKind) {
  EXPECT_EQ(text_metrics(" \t\r\n\v\f ").words, 0u);
  EXPECT_EQ(text_metrics("\n a  b\tc\r\nd ").words, 4u);
  // U+0085, U+00A0, U+1680, U+2003, U+2028, U+202F, U+205F, U+3000 and U+001C.
  EXPECT_EQ(text_metrics("a\xC2\x85"
                         "b\xC2\xA0"
                         "c\xE1\x9A\x80"
                         "d\xE2\x80\x83"
                         "e\xE2\x80\xA8"
                         "f\xE2\x80\xAF"
                         "g\xE2\x81\x9F"
                         "h\xE3\x80\x80"
                         "i\x1Cj")
                .words,
            10u);
  // U+200B, U+2010 and U+00E9 are none; nor are bytes that begin a character and do not end it.
  EXPECT_EQ(text_metrics("a\xE2\x80\x8B"
                         "b\xE2\x80\x90"
                         "c\xC3\xA9"
                         "d\xE2\x80")
                .words,
            1u);
  EXPECT_EQ(text_metrics("\xE2").words, 1u);
}

TEST(TextMetrics, CaseAndPunctuationCount) {
  EXPECT_EQ(*text_metrics("a b A b a b. a, b").rep_2, 0);
}

TEST(TextMetrics, ANulByteIsPartOfAWord) {
  EXPECT_EQ(text_metrics(std::string_view("a\0b c", 5)).words, 2u);
}

}  // namespace
}  // namespace tq
