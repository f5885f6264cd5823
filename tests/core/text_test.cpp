#include "transferq/core/text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "transferq/core/sha256.hpp"

namespace tq {
namespace {

constexpr auto kNone = std::string_view::npos;

struct Utf8Case {
  std::string bytes;
  std::size_t invalid;   // offset of the first invalid byte
  std::size_t complete;  // bytes in whole characters
  std::string replaced;
};

const std::vector<Utf8Case> kUtf8Cases{
    {"", kNone, 0, ""},
    {"plain", kNone, 5, "plain"},
    {"\u00e9\u20ac\U0001F600", kNone, 9, "\u00e9\u20ac\U0001F600"},
    // Beginnings of characters: what a token in the middle of one leaves behind.
    {"a\xC3", 1, 1, "a\uFFFD"},
    {"\xE2\x82", 0, 0, "\uFFFD"},
    {"ok\xF0\x9F\x98", 2, 2, "ok\uFFFD"},
    // Never valid, whatever follows.
    {"\x80", 0, 1, "\uFFFD"},
    {"\xC0\xAF", 0, 2, "\uFFFD\uFFFD"},
    {"a\xFF"
     "b",
     1, 3,
     "a\uFFFD"
     "b"},
    {"\xE2\x28\xA1", 0, 3, "\uFFFD(\uFFFD"},
    {"\xF0\x9F\x98z", 0, 4, "\uFFFDz"},
    // Tables 3-8 to 3-11 of the Unicode standard: overlong forms, surrogates, beyond U+10FFFF,
    // truncated sequences.
    {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", 0, 9,
     "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41"},
    {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", 0, 9,
     "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41"},
    {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", 0, 9,
     "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41\uFFFD\uFFFD\x42"},
    {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 0, 9, "\uFFFD\uFFFD\uFFFD\uFFFD\x41"},
};

TEST(Utf8, Tables) {
  for (const Utf8Case& c : kUtf8Cases) {
    SCOPED_TRACE(testing::PrintToString(c.bytes));
    EXPECT_EQ(invalid_utf8(c.bytes), c.invalid);
    EXPECT_EQ(complete_utf8(c.bytes), c.complete);
    EXPECT_EQ(replace_invalid_utf8(c.bytes), c.replaced);
    EXPECT_EQ(invalid_utf8(replace_invalid_utf8(c.bytes)), kNone);
  }
}

// All texts of up to four bytes over an alphabet that meets every rule of the encoding, against
// CPython's decoder by way of a digest (`heads` are the unfinished characters):
//
//   heads = {c.encode()[:n] for c in map(chr, range(0x110000)) if not 0xD800 <= ord(c) < 0xE000
//            for n in range(1, len(c.encode()))}
//   digest = hashlib.sha256()
//   for size in range(5):
//     for t in itertools.product(bytes.fromhex("41808f909fa0bfc1c3e0e1edf0f4f5"), repeat=size):
//       b = bytes(t)
//       try: b.decode(); bad = -1
//       except UnicodeDecodeError as e: bad = e.start
//       whole = next((n for n in range(size) if b[n:] in heads), size)
//       digest.update(b.decode(errors="replace").encode() + b"%d %d\n" % (whole, bad))
TEST(Utf8, EqualsPythonOnAllShortTexts) {
  const std::string alphabet = "\x41\x80\x8f\x90\x9f\xa0\xbf\xc1\xc3\xe0\xe1\xed\xf0\xf4\xf5";
  Sha256 digest;
  std::vector<std::string> texts{""};
  for (int size = 0; size < 5; ++size) {
    std::vector<std::string> longer;
    for (const std::string& text : texts) {
      const std::size_t bad = invalid_utf8(text);
      digest.update(replace_invalid_utf8(text) + std::to_string(complete_utf8(text)) + " " +
                    (bad == kNone ? "-1" : std::to_string(bad)) + "\n");
      for (const char c : alphabet) longer.push_back(text + c);
    }
    texts = std::move(longer);
  }
  EXPECT_EQ(digest.hex(), "fd42fc4f695f7271a7f068d020123301a189f67d668e0a265675e05996addf6a");
}

TEST(NearestName, OffersWhatWasMeant) {
  const std::vector<std::string> names{"greedy", "sample", "best-of", "args", "tq", "official"};
  EXPECT_EQ(nearest_name("gredy", names), "greedy");
  EXPECT_EQ(nearest_name("bestof", names), "best-of");
  EXPECT_EQ(nearest_name("t", names), "tq");
  EXPECT_EQ(nearest_name("tq", names), "tq");
  EXPECT_EQ(nearest_name("oficial", names), "official");
  EXPECT_EQ(nearest_name("quantum", names), "");
  EXPECT_EQ(nearest_name("x", std::vector<std::string>{}), "");
}

}  // namespace
}  // namespace tq
