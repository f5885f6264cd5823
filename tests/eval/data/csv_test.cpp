#include "transferq/eval/data/csv.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/engine/tiny_files.hpp"

namespace tq {
namespace {

using testing::expect_error;
using Table = std::vector<std::vector<std::string>>;

Table table_of(std::string_view text) {
  Table out;
  for (const CsvRecord& record : parse_csv(text)) out.push_back(record.fields);
  return out;
}

// The other direction: in quotes where RFC 4180 wants them, or everywhere.
std::string write(const Table& table, const std::string& end, bool always) {
  std::string out;
  for (const auto& record : table) {
    for (std::size_t i = 0; i < record.size(); ++i) {
      if (i > 0) out += ',';
      const std::string& field = record[i];
      const bool bare = !always && field.find_first_of(",\"\r\n") == std::string::npos;
      // One empty field alone would be a blank line.
      if (bare && !(field.empty() && record.size() == 1)) {
        out += field;
        continue;
      }
      out += '"';
      for (const char c : field) out.append(c == '"' ? 2 : 1, c);
      out += '"';
    }
    out += end;
  }
  return out;
}

TEST(CsvTest, ReadsFields) {
  EXPECT_EQ(table_of("id,prompt\n1,Hi\n2,\n"), (Table{{"id", "prompt"}, {"1", "Hi"}, {"2", ""}}));
  EXPECT_EQ(table_of("a,\"b, c\"\r\n\"say \"\"hi\"\"\",\"two\r\nlines\"\r\n"),
            (Table{{"a", "b, c"}, {"say \"hi\"", "two\r\nlines"}}));
  EXPECT_EQ(table_of("a, b \n"), (Table{{"a", " b "}}));
  EXPECT_EQ(table_of("a,b"), (Table{{"a", "b"}}));
  EXPECT_EQ(table_of("a,"), (Table{{"a", ""}}));
  EXPECT_EQ(table_of("a\n\n\"\"\r\n\r\nb\n"), (Table{{"a"}, {""}, {"b"}}));
  EXPECT_TRUE(table_of("").empty());
  EXPECT_TRUE(table_of("\n\r\n").empty());
}

TEST(CsvTest, RecordsKnowTheirLinesAndTexts) {
  const std::string text = "a,b\n\n\"x\ny\",1\r\nz,2\n";
  const auto records = parse_csv(text);
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[1].line, 3u);
  EXPECT_EQ(records[1].text, "\"x\ny\",1");
  EXPECT_EQ(records[2].line, 5u);
  EXPECT_EQ(parse_csv_header(text).fields, (std::vector<std::string>{"a", "b"}));
}

TEST(CsvTest, ErrorsNameTheirLine) {
  const auto refused = [](const std::vector<std::string>& words, const std::string& text) {
    SCOPED_TRACE(text);
    expect_error(ErrorKind::input, words, [&] { parse_csv(text); });
  };
  refused({"line 2", "never closed"}, "a,b\n1,\"two\nthree\n");
  refused({"line 3", "none around it"}, "a,b\n1,2\n1,say \"hi\"\n");
  refused({"line 2", "behind the quote"}, "a,b\n\"1\" ,2\n");
  refused({"line 2", "3 fields where the header has 2"}, "a,b\n1,2,3\n");
  refused({"line 4", "1 fields where the header has 2"}, "a,b\n\"x\ny\",2\n1\n");
  refused({"line 1", "carriage return"}, "a,b\r1,2\r");
}

RC_GTEST_PROP(CsvTest, WhatIsWrittenIsRead, (bool always, bool crlf)) {
  const auto columns = *rc::gen::inRange<std::size_t>(1, 5);
  const auto field = rc::gen::container<std::string>(
      rc::gen::oneOf(rc::gen::elementOf(std::string(",\"\r\n ab")), rc::gen::arbitrary<char>()));
  const auto table =
      *rc::gen::container<Table>(rc::gen::container<std::vector<std::string>>(columns, field));
  const std::string text = write(table, crlf ? "\r\n" : "\n", always);
  RC_ASSERT(table_of(text) == table);
}

}  // namespace
}  // namespace tq
