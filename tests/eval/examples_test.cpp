#include "transferq/eval/examples.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "tests/engine/tiny_files.hpp"

namespace tq {
namespace {

using testing::expect_error;

Examples parse(const std::string& text, ExampleFormat format = ExampleFormat::automatic) {
  return parse_examples(text, "data", format);
}

void expect_refused(const std::vector<std::string>& words, const std::string& text,
                    ExampleFormat format = ExampleFormat::automatic) {
  SCOPED_TRACE(text);
  std::vector<std::string> all{"data"};
  all.insert(all.end(), words.begin(), words.end());
  expect_error(ErrorKind::input, all, [&] { parse(text, format); });
}

constexpr const char* kPair = R"({"id":"a","prompt":"Q","chosen":"good","rejected":"bad"})"
                              "\n";
constexpr const char* kRow = R"({"id":"a","prompt":"Q","response":"R","label":1})"
                             "\n";

TEST(ExamplesTest, ReadsResponses) {
  const auto rows = parse(R"({"id":"a","prompt":"Q","response":"R","label":0.5})"
                          "\n\n"
                          R"({"messages":[{"role":"system","content":"S"},)"
                          R"({"role":"user","content":"U"}],"response":"","label":null})"
                          "\r\n"
                          R"({"text":"T","label":true})")
                        .rows;
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].id, "a");
  EXPECT_EQ(rows[0].prompt.messages.at(0).role, "user");
  EXPECT_EQ(rows[0].prompt.messages.at(0).content, "Q");
  EXPECT_EQ(rows[0].response, "R");
  EXPECT_EQ(rows[0].label, 0.5);
  EXPECT_TRUE(rows[0].has_prompt);
  EXPECT_EQ(rows[1].id, "3");
  EXPECT_EQ(rows[1].line, 3u);
  ASSERT_EQ(rows[1].prompt.messages.size(), 2u);
  EXPECT_EQ(rows[1].prompt.messages[1].content, "U");
  EXPECT_FALSE(rows[1].label);
  EXPECT_EQ(rows[2].response, "T");
  EXPECT_EQ(rows[2].label, 1);
  EXPECT_FALSE(rows[2].has_prompt);
  EXPECT_TRUE(rows[2].prompt.messages.empty());
}

TEST(ExamplesTest, PositiveAndNegativeArePairsToo) {
  const auto pairs = parse(R"({"positive":"x","negative":"y"})"
                           "\n"
                           R"({"prompt":"Q","positive":"a","negative":"b"})")
                         .pairs;
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0].chosen, "x");
  EXPECT_EQ(pairs[0].rejected, "y");
  EXPECT_EQ(pairs[1].prompt.messages.at(0).content, "Q");
  expect_refused({"line 1", "negative"}, R"({"positive":"x"})");
  // A single response may have a field of that name.
  EXPECT_EQ(parse(R"({"text":"T","label":1,"positive":true})").rows.size(), 1u);
}

TEST(ExamplesTest, ReadsPairs) {
  const auto pairs = parse(std::string(kPair) + R"({"chosen":"x","rejected":"y"})").pairs;
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0].prompt.messages.at(0).content, "Q");
  EXPECT_EQ(pairs[0].chosen, "good");
  EXPECT_EQ(pairs[0].rejected, "bad");
  EXPECT_EQ(pairs[1].id, "2");
  EXPECT_TRUE(pairs[1].prompt.messages.empty());
}

TEST(ExamplesTest, ReadsPairsOfConversations) {
  // As UltraFeedback is published: the prompt stands in both lists once more.
  const auto pairs =
      parse(R"({"prompt":"Q","chosen":[{"role":"user","content":"Q"},)"
            R"({"role":"assistant","content":"good"}],"rejected":[{"role":"user","content":"Q"},)"
            R"({"role":"assistant","content":"bad"}],"score_chosen":9})"
            "\n"
            R"({"prompt":[{"role":"user","content":"P"}],)"
            R"("chosen":[{"role":"assistant","content":"1"}],)"
            R"("rejected":[{"role":"assistant","content":"2"}]})")
          .pairs;
  ASSERT_EQ(pairs.size(), 2u);
  ASSERT_EQ(pairs[0].prompt.messages.size(), 1u);
  EXPECT_EQ(pairs[0].prompt.messages[0].content, "Q");
  EXPECT_EQ(pairs[0].chosen, "good");
  EXPECT_EQ(pairs[0].rejected, "bad");
  ASSERT_EQ(pairs[1].prompt.messages.size(), 1u);
  EXPECT_EQ(pairs[1].prompt.messages[0].content, "P");
  EXPECT_EQ(pairs[1].chosen, "1");
}

TEST(ExamplesTest, ReadsDialogues) {
  const std::string shared = R"(\n\nHuman: Hi\n\nAssistant: Hello.\n\nOne more line\n\nHuman: So?)";
  const auto pairs = parse("{\"chosen\":\"" + shared + R"(\n\nAssistant: Yes.\n\nWell.",)" +
                           "\"rejected\":\"" + shared + R"(\n\nAssistant: No."})")
                         .pairs;
  ASSERT_EQ(pairs.size(), 1u);
  const auto& messages = pairs[0].prompt.messages;
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0].role, "user");
  EXPECT_EQ(messages[0].content, "Hi");
  EXPECT_EQ(messages[1].role, "assistant");
  EXPECT_EQ(messages[1].content, "Hello.\n\nOne more line");
  EXPECT_EQ(messages[2].content, "So?");
  EXPECT_EQ(pairs[0].chosen, "Yes.\n\nWell.");
  EXPECT_EQ(pairs[0].rejected, "No.");
}

TEST(ExamplesTest, DialoguesThatPartEarlyKeepTheirTurns) {
  const auto pairs =
      parse(R"({"chosen":"\n\nHuman: Hi\n\nAssistant: A\n\nHuman: B\n\nAssistant: C",)"
            R"("rejected":"\n\nHuman: Hi\n\nAssistant: D"})")
          .pairs;
  ASSERT_EQ(pairs.size(), 1u);
  ASSERT_EQ(pairs[0].prompt.messages.size(), 1u);
  EXPECT_EQ(pairs[0].chosen, "A\n\nHuman: B\n\nAssistant: C");
  EXPECT_EQ(pairs[0].rejected, "D");
}

TEST(ExamplesTest, APromptBesideDialogueLikeTextIsKept) {
  const auto pairs = parse(R"({"prompt":"Q","chosen":"Human: a","rejected":"Human: b"})").pairs;
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].chosen, "Human: a");
}

TEST(ExamplesTest, ReadsLabelledLines) {
  const auto rows = parse("1 a good film\r\n\n0\tdull , long\n-0.5 so so").rows;
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].response, "a good film");
  EXPECT_EQ(rows[0].label, 1);
  EXPECT_EQ(rows[1].response, "dull , long");
  EXPECT_EQ(rows[1].label, 0);
  EXPECT_EQ(rows[1].id, "3");
  EXPECT_EQ(rows[2].label, -0.5);
  EXPECT_FALSE(rows[0].has_prompt);
}

TEST(ExamplesTest, ReadsArraysAndNamesTheLineOfAnElement) {
  const auto pairs = parse(
                         "[\n {\"prompt\": \"[\\\"{\",\n  \"chosen\": \"a\", \"rejected\": "
                         "\"b,]\"},\n {\"chosen\":\"c\",\"rejected\":\"d\"}\n]\n")
                         .pairs;
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0].prompt.messages.at(0).content, "[\"{");
  EXPECT_EQ(pairs[0].rejected, "b,]");
  EXPECT_EQ(pairs[1].line, 4u);
  expect_refused({"line 3", "lacks 'rejected'"},
                 "[{\"chosen\":\"c\",\"rejected\":\"d\"},\n\n{\"chosen\":\"c\"}]");
  expect_refused({"line 2", "not valid JSON", "element"}, "[\n{\"chosen\" \"c\"}]");
  expect_refused({"does not end"}, "[{\"chosen\":\"c\",\"rejected\":\"d\"}");
  expect_refused({"does not end"}, "[{\"chosen\":\"c\",\"rejected\":\"d\"}] more");
  expect_refused({"no rows"}, "[]");
}

TEST(ExamplesTest, ReadsCsv) {
  const auto rows =
      parse("id,prompt,response,label\r\na,Q,\"x, y\",-0.5\r\nb,,\"two\nlines\",\r\n").rows;
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].id, "a");
  EXPECT_EQ(rows[0].prompt.messages.at(0).content, "Q");
  EXPECT_EQ(rows[0].response, "x, y");
  EXPECT_EQ(rows[0].label, -0.5);
  EXPECT_EQ(rows[1].response, "two\nlines");
  EXPECT_FALSE(rows[1].has_prompt);
  EXPECT_FALSE(rows[1].label);
  EXPECT_EQ(parse("text,label\ngood,1\n").rows.at(0).label, 1);
  EXPECT_EQ(parse("prompt,chosen,rejected\nQ,a,b\n").pairs.at(0).rejected, "b");
  expect_refused({"line 2", "'label' must be a number"}, "text,label\ngood,yes\n");
  expect_refused({"line 3", "lacks 'rejected'"}, "prompt,chosen\n\nQ,a\n");
  expect_refused({"line 2", "1 fields where the header has 2"}, "text,label\ngood\n");
  expect_refused({"no rows"}, "text,label\n");
}

TEST(ExamplesTest, CountsPairsThatSayNothing) {
  const auto read = parse(std::string(kPair) + R"({"chosen":"x","rejected":"x"})"
                                               "\n"
                                               R"({"chosen":" \n","rejected":"x"})"
                                               "\n"
                                               R"({"chosen":"x","rejected":""})"
                                               "\n");
  EXPECT_EQ(read.pairs.size(), 1u);
  EXPECT_EQ(read.identical, 1u);
  EXPECT_EQ(read.empty, 2u);
}

TEST(ExamplesTest, EveryErrorNamesItsLine) {
  const std::string pair = kPair, row = kRow;
  expect_refused({"line 2", "not valid JSON at byte"}, pair + "{\"chosen\":\n");
  expect_refused({"line 3", "JSON object"}, pair + "\n[1]\n");
  expect_refused({"line 2", "UTF-8 at byte 12"}, pair + "{\"prompt\":\"\xFF\"}\n");
  expect_refused({"line 2", "lacks 'rejected'"}, pair + "{\"chosen\":\"a\"}\n");
  expect_refused({"line 2", "lacks 'chosen'"}, pair + "{\"rejected\":\"a\"}\n");
  expect_refused({"line 2", "'chosen' must be a string or a list"},
                 pair + "{\"chosen\":1,\"rejected\":\"a\"}\n");
  expect_refused({"line 2", "'rejected' must end with the assistant's"},
                 pair + "{\"chosen\":\"a\",\"rejected\":[]}\n");
  expect_refused({"line 2", "differ before their last"},
                 pair + R"({"chosen":[{"role":"user","content":"P"},)"
                        R"({"role":"assistant","content":"1"}],)"
                        R"("rejected":[{"role":"assistant","content":"2"}]})");
  expect_refused({"line 2", "the prompt is empty"},
                 pair + R"({"prompt":" ","chosen":"a","rejected":"b"})");
  expect_refused({"line 2", "neither 'response'"}, row + "{\"prompt\":\"a\"}\n");
  expect_refused({"line 2", "'response' must be a string"}, row + "{\"response\":3}\n");
  expect_refused({"line 2", "'label' must be a number"},
                 row + R"({"response":"a","label":"good"})");
  expect_refused({"line 2", "pairs and single"}, row + pair);
  expect_refused({"line 2", "pairs and single"}, pair + row);
  expect_refused({"line 2", "label and a text"}, "1 good\ngood\n");
  expect_refused({"line 2", "label and a text"}, "1 good\n1\n");
  expect_refused({"line 2", "label and a text"}, "1 good\nnan bad\n");
  expect_refused({"line 1", "neither JSON nor a label"}, "Hello there\n");
  expect_refused({"line 1", "JSON object"}, "\"Hi\"\n", ExampleFormat::json);
  expect_refused({"no rows"}, "\n \n");
}

TEST(ExamplesTest, BadDialoguesAreNamed) {
  const std::string good =
      "{\"chosen\":\"\\n\\nHuman: a\\n\\nAssistant: b\",\"rejected\":\"\\n\\nHuman: "
      "a\\n\\nAssistant: c\"}\n";
  expect_refused({"line 2", "no dialogue"}, good + kPair);
  expect_refused({"line 2", "last turn is not the assistant's"},
                 good + R"({"chosen":"\n\nHuman: a","rejected":"\n\nHuman: b"})");
  expect_refused({"line 2", "share no beginning"},
                 good + R"({"chosen":"\n\nHuman: a\n\nAssistant: b",)"
                        R"("rejected":"\n\nHuman: c\n\nAssistant: d"})");
  expect_refused({"line 1", "no dialogue"}, kPair, ExampleFormat::hh);
}

TEST(ExamplesTest, AFormatThatIsNamedIsTaken) {
  const std::string dialogues =
      R"({"chosen":"\n\nHuman: a\n\nAssistant: b","rejected":"\n\nHuman: a\n\nAssistant: c"})";
  EXPECT_EQ(parse(dialogues, ExampleFormat::json).pairs.at(0).chosen,
            "\n\nHuman: a\n\nAssistant: b");
  expect_refused({"line 1", "label and a text"}, dialogues, ExampleFormat::labelled);
}

TEST(ExamplesTest, ReadsCompressedFilesAndRefusesDamagedOnes) {
  const testing::TemporaryFolder folder;
  const auto path = folder / "data.jsonl.gz";
  const gzFile file = ::gzopen(path.c_str(), "wb");
  ::gzwrite(file, kPair, static_cast<unsigned>(std::string(kPair).size()));
  ::gzclose(file);
  EXPECT_EQ(read_examples(path).pairs.size(), 1u);
  const std::string bytes = testing::read_all(path);
  std::ofstream(path, std::ios::binary) << bytes.substr(0, bytes.size() - 9);
  expect_error(ErrorKind::io, {path.string(), "cut short"}, [&] { read_examples(path); });
  std::string flipped = bytes;
  flipped[bytes.size() - 6] = static_cast<char>(flipped[bytes.size() - 6] ^ 1);  // the checksum
  std::ofstream(path, std::ios::binary) << flipped;
  expect_error(ErrorKind::io, {path.string(), "damaged"}, [&] { read_examples(path); });
}

TEST(ExamplesTest, AFileThatCannotBeReadIsAnError) {
  const testing::TemporaryFolder folder;
  const auto missing = folder / "none";
  expect_error(ErrorKind::io, {missing.string(), "check the path"},
               [&] { read_examples(missing); });
  expect_error(ErrorKind::io, {folder.path().string()}, [&] { read_examples(folder.path()); });
}

}  // namespace
}  // namespace tq
