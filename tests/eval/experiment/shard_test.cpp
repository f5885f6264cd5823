// Shards: what is one, and that they have each prompt once.
#include "transferq/eval/experiment/shard.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "tests/engine/tiny_files.hpp"

namespace tq {
namespace {

std::vector<Prompt> prompts_named(std::size_t count) {
  std::vector<Prompt> prompts;
  for (std::size_t i = 0; i < count; ++i) prompts.push_back(make_prompt(std::to_string(i), "x"));
  return prompts;
}

std::vector<std::string> ids(const std::vector<Prompt>& prompts) {
  std::vector<std::string> out;
  for (const Prompt& prompt : prompts) out.push_back(prompt.id);
  return out;
}

TEST(Shard, Reads) {
  for (const std::string text : {"1/1", "3/16", "16/16", "100000/100000"}) {
    EXPECT_EQ(shard_text(parse_shard(text)), text);
  }
}

TEST(Shard, RefusesTheRest) {
  for (const std::string text : {"",
                                 "x",
                                 "1",
                                 "/",
                                 "1/",
                                 "/4",
                                 "0/4",
                                 "5/4",
                                 "1/0",
                                 "0/0",
                                 "-1/4",
                                 "+1/4",
                                 "1/-4",
                                 " 1/4",
                                 "1/4 ",
                                 "1 /4",
                                 "1/4/2",
                                 "1.0/4",
                                 "1/4x",
                                 "0x1/4",
                                 "1/100001",
                                 "99999999999999999999999/99999999999999999999999",
                                 "1/99999999999999999999999",
                                 "1-4"}) {
    testing::expect_error(ErrorKind::usage, {"--shard '" + text + "'", "3/16"},
                          [&] { parse_shard(text); });
  }
}

TEST(Shard, TakesEachNthPrompt) {
  const auto prompts = prompts_named(8);
  EXPECT_EQ(ids(prompts_of(prompts, {1, 3})), (std::vector<std::string>{"0", "3", "6"}));
  EXPECT_EQ(ids(prompts_of(prompts, {3, 3})), (std::vector<std::string>{"2", "5"}));
  EXPECT_EQ(ids(prompts_of(prompts, {1, 1})), ids(prompts));
}

TEST(Shard, WithoutPromptsIsRefused) {
  const auto prompts = prompts_named(3);
  EXPECT_EQ(prompts_of(prompts, {3, 4}).size(), 1u);
  testing::expect_error(ErrorKind::usage, {"shard 4/4", "only 3"}, [&] {
    prompts_of(prompts, {4, 4});
  });
  testing::expect_error(ErrorKind::usage, {"shard 1/1", "only 0"}, [&] { prompts_of({}, {1, 1}); });
}

RC_GTEST_PROP(Shard, AllTogetherHaveEachPromptOnce, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(1, 60);
  const auto shards = *rc::gen::inRange<std::size_t>(1, count + 1);
  const auto prompts = prompts_named(count);
  std::vector<std::string> seen;
  std::size_t least = count, most = 0;
  for (std::size_t i = 1; i <= shards; ++i) {
    const auto part = ids(prompts_of(prompts, {i, shards}));
    seen.insert(seen.end(), part.begin(), part.end());
    least = std::min(least, part.size());
    most = std::max(most, part.size());
  }
  auto all = ids(prompts);
  std::sort(all.begin(), all.end());
  std::sort(seen.begin(), seen.end());
  RC_ASSERT(seen == all);
  RC_ASSERT(most - least <= 1u);  // no shard works much longer than another
}

}  // namespace
}  // namespace tq
