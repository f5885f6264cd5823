#include "transferq/eval/data/prompt_set.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>

#include "tests/engine/tiny_files.hpp"
#include "transferq/core/sha256.hpp"

namespace tq {
namespace {

using testing::expect_error;

// "role: content" of each message, one a line.
std::string shown(const Prompt& prompt) {
  std::string out;
  for (const Message& m : prompt.messages) out += m.role + ": " + m.content + "\n";
  return out;
}

class PromptSetTest : public ::testing::Test {
 protected:
  PromptSet read(const std::string& text, const std::string& format = "auto",
                 const std::string& name = "data") {
    path_ = folder_ / name;
    std::ofstream(path_, std::ios::binary) << text;
    return read_prompt_set(path_, format);
  }
  // Format, then id and messages of each prompt.
  void expect_set(const std::string& format,
                  const std::vector<std::pair<std::string, std::string>>& rows,
                  const PromptSet& set) {
    EXPECT_EQ(set.format, format);
    EXPECT_EQ(set.available, rows.size());
    ASSERT_EQ(set.prompts.size(), rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(set.prompts[i].id, rows[i].first);
      EXPECT_EQ(shown(set.prompts[i]), rows[i].second);
    }
  }
  void expect_refused(const std::vector<std::string>& words, const std::string& text,
                      const std::string& format = "auto", const std::string& name = "data") {
    SCOPED_TRACE(text);
    std::vector<std::string> all{(folder_ / name).string()};
    all.insert(all.end(), words.begin(), words.end());
    expect_error(ErrorKind::input, all, [&] { read(text, format, name); });
  }

  testing::TemporaryFolder folder_;
  std::filesystem::path path_;
};

constexpr const char* kPair =
    R"({"chosen":"\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: So\n\nAssistant: A",)"
    R"("rejected":"\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: So\n\nAssistant: B"})"
    "\n";

TEST_F(PromptSetTest, ReadsOurOwnForm) {
  expect_set("json", {{"a", "user: Q\n"}, {"2", "system: S\nuser: U\n"}, {"3", "user: L\n"}},
             read(R"({"id":"a","prompt":"Q"})"
                  "\n"
                  R"({"messages":[{"role":"system","content":"S"},{"role":"user","content":"U"}]})"
                  "\n"
                  R"({"prompt":[{"role":"user","content":"L"}]})"));
}

TEST_F(PromptSetTest, ReadsArraysWithTheirNumbersAsIds) {
  expect_set("json", {{"1", "user: Q\n"}, {"2", "user: R\n"}},
             read("\xEF\xBB\xBF [\n {\"prompt\":\n\"Q\"},\n {\"prompt\":\"R\"}\n]\n"));
  expect_refused({"line 3", "neither 'prompt' nor"}, "[{\"prompt\":\"Q\"},\n\n{}]");
  expect_refused({"line 1", "does not end"}, "[{\"prompt\":\"Q\"}");
  expect_refused({"line 2", "not valid JSON at byte", "element"}, "[\n{\"prompt\" 1}]");
}

TEST_F(PromptSetTest, ReadsHhRlhf) {
  expect_set("hh-rlhf", {{"1", "user: Hi\nassistant: Yes?\nuser: So\n"}}, read(kPair));
  expect_set("hh-rlhf", {{"1", "user: Hi\n"}},
             read(R"({"prompt":"\n\nHuman: Hi\n\nAssistant:","response":" a","chosen":" a",)"
                  R"("rejected":" b"})"));
  expect_set("hh-rlhf-text",
             {{"1", "user: \n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: So\n\nAssistant:\n"}},
             read(kPair, "hh-rlhf-text"));
  const std::string pair = kPair;
  expect_refused({"line 2", "lacks 'chosen'", "read as"}, pair + "{\"rejected\":\"x\"}\n",
                 "hh-rlhf");
  expect_refused({"line 2", "no dialogue"}, pair + R"({"chosen":"a","rejected":"b"})");
  expect_refused({"line 2", "share no beginning"},
                 pair + R"({"chosen":"\n\nHuman: a\n\nAssistant: b",)"
                        R"("rejected":"\n\nHuman: c\n\nAssistant: d"})");
  expect_refused({"line 2", "prompt is empty"},
                 pair + R"({"chosen":"\n\nAssistant: b","rejected":"\n\nAssistant: c"})");
}

TEST_F(PromptSetTest, ReadsUltraFeedback) {
  expect_set(
      "ultrafeedback", {{"1", "user: Q\n"}},
      read(R"({"source":"s","instruction":"Q","models":[],"completions":[{"response":"r"}]})"));
  expect_set("ultrafeedback", {{"1", "user: Q\n"}},
             read(R"({"prompt":"Q","chosen":"a","rejected":"b"})"));
  // Binarised, with the whole conversation beside it.
  expect_set("ultrafeedback", {{"x9", "system: S\nuser: Q\n"}},
             read(R"({"prompt":"Q","prompt_id":"x9",)"
                  R"("chosen":[{"role":"system","content":"S"},{"role":"user","content":"Q"},)"
                  R"({"role":"assistant","content":"a"}],)"
                  R"("rejected":[{"role":"system","content":"S"},{"role":"user","content":"Q"},)"
                  R"({"role":"assistant","content":"b"}],)"
                  R"("messages":[{"role":"user","content":"Q"},)"
                  R"({"role":"assistant","content":"a"}],"score_chosen":9})"));
  expect_set("ultrafeedback", {{"1", "user: P\n"}},
             read(R"({"prompt":[{"role":"user","content":"P"}],)"
                  R"("chosen":[{"role":"assistant","content":"1"}],)"
                  R"("rejected":[{"role":"assistant","content":"2"}]})"));
  const std::string good = R"({"prompt":"Q","chosen":"a","rejected":"b"})"
                           "\n";
  expect_refused({"line 2", "lacks 'prompt'"}, good + R"({"chosen":"a","rejected":"b"})");
  expect_refused({"line 2", "'chosen' must end with"},
                 good + R"({"prompt":"R","chosen":[],"rejected":[]})");
  expect_refused({"line 2", "differ before"},
                 good + R"({"chosen":[{"role":"user","content":"P"},)"
                        R"({"role":"assistant","content":"1"}],)"
                        R"("rejected":[{"role":"assistant","content":"2"}]})");
}

TEST_F(PromptSetTest, ReadsNectar) {
  const std::string good =
      R"({"prompt":"\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: So\n\nAssistant: ",)"
      R"("answers":[{"answer":"a","model":"m","rank":1}],"turns":2,"num_responses":7})"
      "\n";
  expect_set("nectar", {{"1", "user: Hi\nassistant: Yes?\nuser: So\n"}}, read(good));
  expect_refused({"line 2", "must end with \"Assistant:\""},
                 good + R"({"prompt":"\n\nHuman: Hi\n\nAssistant: Ho","answers":[]})");
  expect_refused({"line 2", "not the assistant's"}, good + R"({"prompt":"\n\nHuman: Hi"})");
  expect_refused({"line 2", "lacks 'prompt'"}, good + "{}");
}

TEST_F(PromptSetTest, ReadsAlpacaEval) {
  expect_set("alpacaeval", {{"1", "user: Q\n"}, {"2", "user: Sort.\n\nb a\n"}},
             read(R"([{"instruction":"Q","output":"o","generator":"g","dataset":"d"},)"
                  R"({"instruction":"Sort.","input":"b a"}])"));
  expect_refused({"line 2", "lacks 'instruction'"}, "{\"instruction\":\"Q\"}\n{\"dataset\":\"d\"}");
  expect_refused({"line 1", "prompt is empty"}, "{\"instruction\":\" \"}");
  expect_refused({"line 1", "'instruction' must be a string"}, "{\"instruction\":[]}");
}

TEST_F(PromptSetTest, ReadsMtBench) {
  const std::string good = R"({"question_id":81,"category":"writing","turns":["One","Two"]})"
                           "\n";
  expect_set("mt-bench", {{"81", "user: One\n"}}, read(good));
  expect_set("mt-bench", {{"q", "user: One\n"}},
             read(R"({"question_id":"q","turns":[{"content":"One"}]})"));
  expect_refused({"line 2", "one text or more"}, good + R"({"question_id":82,"turns":[]})");
  expect_refused({"line 2", "one text or more"}, good + R"({"question_id":82,"turns":"One"})");
  expect_refused({"line 2", "list of texts"}, good + R"({"question_id":82,"turns":[3]})");
  expect_refused({"line 2", "one text or more"}, good + R"({"question_id":82})");
}

TEST_F(PromptSetTest, ReadsCsv) {
  expect_set("csv", {{"7", "user: Say \"a, b\"\n\nnow\n"}, {"8", "user: Hi\n"}},
             read("id,prompt,label\r\n7,\"Say \"\"a, b\"\"\n\nnow\",x\r\n8,Hi,y\r\n"));
  expect_set("csv", {{"1", "user: Q\n"}}, read("\xEF\xBB\xBFnote,question\nn,Q\n"));
  expect_set("csv", {{"1", "user: Q\n"}}, read("question,instruction\nR,Q\n"));
  expect_set("csv", {{"5", "user: One\n"}, {"6", "user: Go [on]\n"}},
             read("question_id,turns\n5,\"[\"\"One\"\",\"\"Two\"\"]\"\n6,Go [on]\n"));
  expect_refused({"line 2", "no column prompt or", "are a, b"}, "a,b\n1,2\n", "auto", "x.csv");
  expect_refused({"line 2", "2 fields where the header has 1"}, "prompt\nHi, there\n");
  expect_refused({"line 3", "prompt is empty"}, "id,prompt\n1,Hi\n2,\n");
  expect_refused({"line 3", "'1' is used twice"}, "id,prompt\n1,Hi\n1,Ho\n");
  expect_refused({"line 2", "the id is empty"}, "id,prompt\n,Hi\n");
  expect_refused({"line 3", "UTF-8 at byte 1"}, "prompt\nHi\n\xFF\n");
  expect_refused({"line 1", "'prompt' is there twice"}, "prompt,prompt\na,b\n");
  expect_refused({"no prompts"}, "prompt\n");
}

TEST_F(PromptSetTest, AFormatThatIsNamedIsTaken) {
  const std::string row = R"({"prompt":"Q","chosen":"a","rejected":"b"})";
  expect_set("json", {{"1", "user: Q\n"}}, read(row, "json"));
  expect_refused({"line 1", "'turns'", "read as mt-bench"}, row, "mt-bench");
  expect_refused({"line 1", "lacks 'instruction'", "read as alpacaeval"}, row, "alpacaeval");
  expect_refused({"line 1", "no dialogue", "read as nectar"}, row, "nectar");
  expect_refused({"line 1", "not valid JSON", "read as json"}, "prompt\nHi\n", "json");
  expect_refused({"line 1", "none around it"}, row, "csv");
  expect_error(ErrorKind::usage, {"'nectr'", "did you mean 'nectar'", "hh-rlhf"},
               [&] { read(row, "nectr"); });
}

TEST_F(PromptSetTest, IdsOfPublishedSetsAreTakenWhereAllDiffer) {
  const auto row = [](const std::string& id, const std::string& text) {
    return R"({"hh_rlhf_index":)" + id + R"(,"prompt":")" + text + "\"}\n";
  };
  expect_set("json", {{"40", "user: a\n"}, {"7", "user: b\n"}},
             read(row("40", "a") + row("7", "b")));
  expect_set("json", {{"1", "user: a\n"}, {"2", "user: b\n"}}, read(row("7", "a") + row("7", "b")));
  expect_set("json", {{"1", "user: a\n"}, {"2", "user: b\n"}},
             read(row("7", "a") + "{\"prompt\":\"b\"}"));
}

TEST_F(PromptSetTest, ARepeatedPromptIsCountedOnce) {
  const std::string rows = "{\"prompt\":\"a\"}\n{\"prompt\":\"b\"}\n{\"prompt\":\"a\"}\n";
  const PromptSet set = read(rows);
  expect_set("json", {{"1", "user: a\n"}, {"2", "user: b\n"}}, set);
  EXPECT_EQ(set.repeated, 1u);
  const PromptSet all = read_prompt_set(path_, "auto", Repeats::kept);
  EXPECT_EQ(all.prompts.size(), 3u);
  EXPECT_EQ(all.repeated, 0u);
}

TEST_F(PromptSetTest, TheFingerprintIsThatOfTheStoredFile) {
  const std::string text = "{\"prompt\":\"a\"}\n";
  EXPECT_EQ(read(text).sha256, sha256(text));
  const auto path = folder_ / "data.csv.gz";
  const gzFile file = ::gzopen(path.c_str(), "wb");
  ::gzputs(file, "prompt\n\"a, b\"\n");
  ::gzclose(file);
  const PromptSet set = read_prompt_set(path);
  expect_set("csv", {{"1", "user: a, b\n"}}, set);
  EXPECT_EQ(set.sha256, sha256(testing::read_all(path)));
}

PromptSet numbered(std::size_t count) {
  PromptSet set;
  for (std::size_t i = 0; i < count; ++i)
    set.prompts.push_back(make_prompt(std::to_string(i), "Q"));
  set.available = count;
  return set;
}

std::vector<std::size_t> sampled(std::size_t available, std::size_t count, std::uint64_t seed) {
  PromptSet set = numbered(available);
  sample_prompts(set, count, seed);
  EXPECT_EQ(set.available, available);
  std::vector<std::size_t> out;
  for (const Prompt& prompt : set.prompts) out.push_back(std::stoul(prompt.id));
  return out;
}

TEST(SamplePromptsTest, KeepsTheFilesOrderAndRepeatsNothing) {
  for (std::size_t count = 1; count <= 30; ++count) {
    const auto sample = sampled(30, count, 5);
    EXPECT_EQ(sample.size(), count);
    EXPECT_TRUE(std::is_sorted(sample.begin(), sample.end()));
    EXPECT_EQ(std::adjacent_find(sample.begin(), sample.end()), sample.end());
    const auto more = sampled(30, std::min<std::size_t>(count + 1, 30), 5);
    EXPECT_TRUE(std::includes(more.begin(), more.end(), sample.begin(), sample.end()));
  }
  EXPECT_EQ(sampled(3, 3, 1), (std::vector<std::size_t>{0, 1, 2}));
}

TEST(SamplePromptsTest, IsTheSameOnEveryMachine) {
  EXPECT_EQ(sampled(100, 5, 0), (std::vector<std::size_t>{0, 5, 33, 64, 85}));
  EXPECT_EQ(sampled(100, 5, 1), (std::vector<std::size_t>{21, 48, 57, 73, 83}));
}

TEST(SamplePromptsTest, EveryPromptIsDrawnAsOften) {
  std::vector<int> drawn(20, 0);
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    for (const std::size_t i : sampled(20, 5, seed)) ++drawn[i];
  }
  // Binomial(2000, 1/4): mean 500, standard deviation 19.4; five of them.
  for (const int count : drawn) EXPECT_NEAR(count, 500, 97);
}

TEST(SamplePromptsTest, NoneAndMoreThanThereAreAreRefused) {
  PromptSet set = numbered(3);
  expect_error(ErrorKind::usage, {"0 prompts"}, [&] { sample_prompts(set, 0, 1); });
  expect_error(ErrorKind::usage, {"sample of 4 from 3 different prompts", "leave the sample out"},
               [&] { sample_prompts(set, 4, 1); });
  EXPECT_EQ(set.prompts.size(), 3u);
}

}  // namespace
}  // namespace tq
