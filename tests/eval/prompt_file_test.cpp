// Files of our own form, as `tq generate --prompts` reads them.
#include <gtest/gtest.h>

#include "tests/engine/tiny_files.hpp"
#include "transferq/eval/data/prompt_set.hpp"

namespace tq {
namespace {

using testing::expect_error;

class PromptFileTest : public ::testing::Test {
 protected:
  std::vector<Prompt> read(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    return read_prompt_set(path_, "auto", Repeats::kept).prompts;
  }
  void expect_refused(const std::vector<std::string>& words, const std::string& text) {
    SCOPED_TRACE(text);
    std::vector<std::string> all{path_.string()};
    all.insert(all.end(), words.begin(), words.end());
    expect_error(ErrorKind::input, all, [&] { read(text); });
  }

  testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "prompts.jsonl";
};

constexpr const char* kGood = "{\"id\":\"a\",\"prompt\":\"Hi\"}\n";

TEST_F(PromptFileTest, ReadsPromptsAndConversations) {
  const auto prompts = read(
      "{\"id\":\"a\",\"prompt\":\"Hi \xC3\xA9\",\"extra\":1}\n"
      "{\"id\":\"b\",\"messages\":[{\"role\":\"system\",\"content\":\"S\"},"
      "{\"role\":\"user\",\"content\":\"U\"}]}\n");
  ASSERT_EQ(prompts.size(), 2u);
  EXPECT_EQ(prompts[0].id, "a");
  ASSERT_EQ(prompts[0].messages.size(), 1u);
  EXPECT_EQ(prompts[0].messages[0].role, "user");
  EXPECT_EQ(prompts[0].messages[0].content, "Hi \xC3\xA9");
  ASSERT_EQ(prompts[1].messages.size(), 2u);
  EXPECT_EQ(prompts[1].messages[0].role, "system");
  EXPECT_EQ(prompts[1].messages[1].content, "U");
}

TEST_F(PromptFileTest, BlankLinesAreSkippedAndMissingIdsAreLineNumbers) {
  const auto prompts = read("\n  \r\n{\"prompt\":\"one\"}\r\n\n{\"id\":7,\"prompt\":\"two\"}");
  ASSERT_EQ(prompts.size(), 2u);
  EXPECT_EQ(prompts[0].id, "3");
  EXPECT_EQ(prompts[1].id, "7");
}

TEST_F(PromptFileTest, EveryErrorNamesItsLine) {
  const std::string good = kGood;
  expect_refused({"line 2", "not valid JSON at byte"}, good + "{\"id\":\"b\",\n");
  expect_refused({"line 3", "not valid JSON"}, good + "\nHello\n");
  expect_refused({"line 2", "UTF-8 at byte 12"}, good + "{\"prompt\":\"\xFF\"}\n");
  expect_refused({"line 2", "UTF-8"}, good + "\xEF\xBB\n");
  expect_refused({"line 2", "JSON object"}, good + "[1]\n");
  expect_refused({"line 2", "JSON object"}, good + "\"Hi\"\n");
  expect_refused({"line 2", "'prompt' nor 'messages'"}, good + "{\"id\":\"b\"}\n");
  expect_refused({"line 2", "'prompt' must be a string"}, good + "{\"prompt\":3}\n");
  expect_refused({"line 2", "'messages' must be a list"}, good + "{\"messages\":{}}\n");
  expect_refused({"line 2", "an object with role"}, good + "{\"messages\":[\"Hi\"]}\n");
  expect_refused({"line 2", "not 'robot'"},
                 good + "{\"messages\":[{\"role\":\"robot\",\"content\":\"Hi\"}]}\n");
  expect_refused({"line 2", "'a' is used twice"}, good + good);
}

TEST_F(PromptFileTest, AnEmptyPromptIsAnError) {
  expect_refused({"line 1", "empty"}, "{\"prompt\":\"\"}\n");
  expect_refused({"line 1", "empty"}, "{\"prompt\":\" \\n\\t\"}\n");
  expect_refused({"line 1", "empty"}, "{\"messages\":[]}\n");
  expect_refused({"line 1", "empty"}, "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}\n");
}

TEST_F(PromptFileTest, AnIdGivenByALineNumberMayNotRepeatAnother) {
  expect_refused({"line 2", "'2' is used twice"},
                 "{\"id\":\"2\",\"prompt\":\"a\"}\n{\"prompt\":\"b\"}\n");
}

TEST_F(PromptFileTest, AFileWithoutPromptsIsAnError) {
  expect_refused({"no prompts"}, "");
  expect_refused({"no prompts"}, "\n\n");
}

TEST_F(PromptFileTest, AFileThatCannotBeReadIsAnError) {
  const auto missing = (folder_ / "none").string();
  expect_error(ErrorKind::io, {missing, "check the path"}, [&] { read_prompt_set(missing); });
  expect_error(ErrorKind::io, {folder_.path().string()}, [&] { read_prompt_set(folder_.path()); });
}

}  // namespace
}  // namespace tq
