#include "transferq/eval/results_file.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <thread>

#include "tests/engine/tiny_files.hpp"
#include "transferq/eval/row.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::read_all;

std::string row(const std::string& id, const std::string& settings = "s1") {
  return "{\"id\":\"" + id + "\",\"settings\":\"" + settings +
         "\",\"prompt\":\"Hi\",\"response\":\"Ho\"}";
}

const std::vector<Prompt> kPrompts{make_prompt("a", "Hi"), make_prompt("b", "Hi")};
const std::vector<Prompt> kNone;

class ResultsFileTest : public ::testing::Test {
 protected:
  void fill(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
  // Opening must fail so, and leave every byte.
  void expect_refused(ErrorKind kind, const std::vector<std::string>& words,
                      const std::string& content) {
    SCOPED_TRACE(content);
    fill(content);
    expect_error(kind, words, [&] { ResultsFile(path_, "s1", kPrompts); });
    EXPECT_EQ(read_all(path_), content);
  }

  testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "results.jsonl";
};

TEST_F(ResultsFileTest, RowsAreWrittenInOrderAndRemembered) {
  ResultsFile file(path_, "s1", kNone);
  EXPECT_FALSE(file.finished("a"));
  file.append("a", row("a"));
  file.append("b", row("b"));
  EXPECT_TRUE(file.finished("a"));
  EXPECT_FALSE(file.finished("c"));
  EXPECT_EQ(read_all(path_), row("a") + "\n" + row("b") + "\n");
}

TEST_F(ResultsFileTest, OpeningAgainResumes) {
  ResultsFile(path_, "s1", kNone).append("a", row("a"));
  ResultsFile file(path_, "s1", kNone);
  EXPECT_TRUE(file.finished("a"));
  file.append("b", row("b"));
  EXPECT_EQ(read_all(path_), row("a") + "\n" + row("b") + "\n");
}

TEST_F(ResultsFileTest, WhereverACrashCutTheLastRowOnlyThatPieceGoes) {
  const std::string whole = row("a") + "\n";
  const std::string last = row("b");
  for (std::size_t size = 1; size <= last.size(); ++size) {
    fill(whole + last.substr(0, size));
    ResultsFile file(path_, "s1", kPrompts);
    EXPECT_TRUE(file.finished("a"));
    EXPECT_FALSE(file.finished("b"));
    EXPECT_EQ(read_all(path_), whole);
    file.append("b", last);
    EXPECT_EQ(read_all(path_), whole + last + "\n");
  }
}

TEST_F(ResultsFileTest, APieceOfTheFirstRowGoesToo) {
  fill(row("a").substr(0, 15));
  ResultsFile(path_, "s1", kPrompts).append("a", row("a"));
  EXPECT_EQ(read_all(path_), row("a") + "\n");
}

TEST_F(ResultsFileTest, AnEmptyFileIsTaken) {
  fill("");
  ResultsFile(path_, "s1", kNone).append("a", row("a"));
  EXPECT_EQ(read_all(path_), row("a") + "\n");
}

TEST_F(ResultsFileTest, AForeignFileIsRefusedUnchanged) {
  const std::vector<std::string> words{path_.string(), "nothing was changed", "another --out"};
  expect_refused(ErrorKind::input, words, "My diary\n\nDear diary,\n");
  expect_refused(ErrorKind::input, words, "My diary");
  expect_refused(ErrorKind::input, words, "{\"not\": \"ours\"}\n");
  expect_refused(ErrorKind::input, words, "{\"id\":\"a\",\"prompt\":\"Hi\"}\n");
  expect_refused(ErrorKind::input, words, "{ color: red }");
  expect_refused(ErrorKind::input, words, "[1, 2]\n");
  expect_refused(ErrorKind::input, words, "\n");
  expect_refused(ErrorKind::input, words, std::string("\0\0\0", 3));
  expect_refused(ErrorKind::input, {"line 2"}, row("a") + "\nThat's all.\n");
  expect_refused(ErrorKind::input, words, row("a") + "\nThat's all.");
}

TEST_F(ResultsFileTest, ALineWithoutItsEndThatNoRowOfThisRunBeginsWithIsRefusedUnchanged) {
  const std::vector<std::string> words{path_.string(), "nothing was changed", "another --out"};
  for (const std::string line :
       {R"({"id":"x","text":"my only precious data)", R"({"id":"a","text":"my only)",
        R"({"id":"a","settings":"s2","prompt":"H)", R"({"id":"a","settings":"s2)",
        R"({"id":"a","settings":"s1,)", R"({"id":"a\","settings":"s1","prompt)", R"({"id":"c)",
        R"({"id":7,"settings":"s1"})", R"({"id":"ab)"}) {
    expect_refused(ErrorKind::input, words, line);
    expect_refused(ErrorKind::input, words, row("a") + "\n" + line);
  }
  // Of a prompt that is gone from the file, but plainly ours.
  fill(R"({"id":"c\"\\","settings":"s1","prompt":"my)");
  { ResultsFile(path_, "s1", kPrompts); }
  EXPECT_EQ(read_all(path_), "");
}

TEST_F(ResultsFileTest, OtherSettingsAreRefusedUnchanged) {
  expect_refused(ErrorKind::input, {path_.string(), "other settings", "another --out"},
                 row("a", "s2") + "\n");
  expect_refused(ErrorKind::input, {"other settings"}, row("a") + "\n" + row("b", "s2") + "\n");
}

TEST_F(ResultsFileTest, ARowOfAnotherPromptUnderOneOfTheIdsIsRefusedUnchanged) {
  const auto row_of = [](const Prompt& prompt) {
    return make_row(prompt, {}, {"tq", 0, "s1"}, {}).dump() + "\n";
  };
  const std::vector<Prompt> prompts{make_prompt("a", "Hi"),
                                    {"b", {{"system", "Be kind"}, {"user", "Hi"}}},
                                    {"c", {{"assistant", "Hi"}}}};
  std::string whole;
  for (const Prompt& prompt : prompts) whole += row_of(prompt);
  fill(whole);
  { EXPECT_TRUE(ResultsFile(path_, "s1", prompts).finished("b")); }
  const std::vector<Prompt> others{make_prompt("a", "Ho"),
                                   make_prompt("b", "Hi"),
                                   {"b", {{"system", "Be brief"}, {"user", "Hi"}}},
                                   make_prompt("c", "Hi")};
  for (const Prompt& other : others) {
    expect_error(ErrorKind::input, {path_.string(), "'" + other.id + "'", "nothing was changed"},
                 [&] {
                   ResultsFile(path_, "s1", {&other, 1});
                 });
    EXPECT_EQ(read_all(path_), whole);
  }
  const Prompt another = make_prompt("d", "Ho");
  EXPECT_FALSE(ResultsFile(path_, "s1", {&another, 1}).finished("d"));
}

TEST_F(ResultsFileTest, TwoRunsCannotHoldIt) {
  {
    ResultsFile file(path_, "s1", kNone);
    expect_error(ErrorKind::io, {path_.string(), "another run"},
                 [&] { ResultsFile(path_, "s1", kNone); });
    file.append("a", row("a"));
  }
  EXPECT_TRUE(ResultsFile(path_, "s1", kNone).finished("a"));
}

TEST_F(ResultsFileTest, WhatIsNoFileIsRefused) {
  const std::string folder = folder_.path().string();
  expect_error(ErrorKind::io, {folder, "not a regular file"},
               [&] { ResultsFile(folder, "s1", kNone); });
  expect_error(ErrorKind::io, {"/dev/full"}, [&] { ResultsFile("/dev/full", "s1", kNone); });
  expect_error(ErrorKind::io, {"none/results"},
               [&] { ResultsFile(folder_ / "none/results", "s1", kNone); });
}

// Bounds the size of files for its life, as a full disk would.
class FullDisk {
 public:
  explicit FullDisk(std::size_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit old_{};
  void (*handler_)(int);
};

TEST_F(ResultsFileTest, AFullDiskLeavesTheFileWholeAndTheRunCanGoOn) {
  for (const std::size_t room : {std::size_t{0}, std::size_t{1}, row("b").size()}) {
    std::filesystem::remove(path_);
    ResultsFile file(path_, "s1", kNone);
    file.append("a", row("a"));
    const std::string whole = read_all(path_);
    {
      const FullDisk full(whole.size() + room);
      expect_error(ErrorKind::io, {path_.string(), "1 finished rows are safe", "goes on"},
                   [&] { file.append("b", row("b")); });
    }
    EXPECT_EQ(read_all(path_), whole);
    EXPECT_FALSE(file.finished("b"));
    file.append("b", row("b"));
    EXPECT_EQ(read_all(path_), whole + row("b") + "\n");
  }
}

TEST_F(ResultsFileTest, RowsOfManyThreadsStayWhole) {
  {
    ResultsFile file(path_, "s1", kNone);
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&file, t] {
        for (int i = 0; i < 10; ++i) {
          const std::string id = std::to_string(10 * t + i);
          file.append(id, row(id));
        }
      });
    }
  }
  const ResultsFile file(path_, "s1", kNone);
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(file.finished(std::to_string(i)));
  EXPECT_EQ(read_all(path_).size(), 10 * (row("1").size() + 1) + 30 * (row("10").size() + 1));
}

}  // namespace
}  // namespace tq
