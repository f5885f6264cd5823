#include "transferq/reward/reward_list.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/reward/tiny_head.hpp"
#include "transferq/reward/head_folder.hpp"

namespace tq {
namespace {

using testing::expect_error;

class RewardListTest : public ::testing::Test {
 protected:
  RewardListTest() {
    std::filesystem::create_directory(heads_);
    write_head(heads_ / "kindness.gguf", testing::random_head(*model_));
    write_head(heads_ / "brevity.gguf", testing::random_head(*model_, 2));
    ::setenv("TQ_HEADS_DIR", heads_.c_str(), 1);
  }
  ~RewardListTest() override { ::unsetenv("TQ_HEADS_DIR"); }

  std::unique_ptr<Reward> read(const std::string& list) {
    return make_reward(list, store_, model_, Format::raw);
  }
  double score(const std::string& list, const std::string& text) {
    const auto reward = read(list);
    SessionPool pool(testing::session_of());
    const std::vector<Draft> drafts{{text, {}, {}, false}};
    return reward->open(make_prompt("a", "b"), pool, {10, 2, 2})->score(drafts).at(0);
  }

  testing::TinyModels tiny_;
  const std::filesystem::path heads_ = tiny_ / "heads";
  const std::filesystem::path file_ = tiny_.file();
  ModelStore store_;
  const std::shared_ptr<const Model> model_ = store_.model(file_.string());
};

TEST_F(RewardListTest, ReadsEveryRule) {
  EXPECT_EQ(score("length=4", "one two three"), -0.25);
  EXPECT_EQ(score("regex=[a-c]{2\\,},cap=2", "aa bb cc c"), 2.0);
  EXPECT_EQ(score("regex=a=b", "a=b"), 1.0);
  EXPECT_EQ(score("words=happy glad,avoid=sad,cap=1", "happy glad sad"), 0.0);
  EXPECT_EQ(score("avoid=sad", "sad"), -1.0);
}

TEST_F(RewardListTest, AWordListMayBeAFile) {
  std::ofstream(tiny_ / "list.txt") << "happy\nglad\r\n\n  merry ";
  EXPECT_EQ(score("words=@" + (tiny_ / "list.txt").string(), "merry and glad"), 2.0);
  expect_error(ErrorKind::io, {"/no/such"}, [&] { read("words=@/no/such"); });
}

TEST_F(RewardListTest, AHeadIsFoundByPathOrShippedName) {
  const double value = score("head=" + (heads_ / "kindness.gguf").string(), "x");
  EXPECT_EQ(score("head=kindness", "x"), value);
  EXPECT_NE(score("head=brevity", "x"), value);
  EXPECT_EQ(shipped_heads(), (std::vector<std::string>{"brevity", "kindness"}));
}

TEST_F(RewardListTest, AHeadsBaseIsThePolicysModelUnlessNamed) {
  const auto other = tiny_.file({.seed = 2});
  const auto head = (tiny_ / "other.gguf").string();
  write_head(head, testing::random_head(*store_.model(other.string())));
  expect_error(ErrorKind::model, {"was fitted on"}, [&] { read("head=" + head); });
  expect_error(ErrorKind::model, {"was fitted on"}, [&] { read("head=" + head + ",force=0"); });
  EXPECT_NE(read("head=" + head + ",force=1"), nullptr);
  EXPECT_NE(read("head=" + head + ",model=" + other.string()), nullptr);
}

TEST_F(RewardListTest, AnUnknownHeadOffersTheNearest) {
  expect_error(ErrorKind::model, {"'kindnes'", "did you mean 'kindness'?", "tq models"},
               [&] { read("head=kindnes"); });
}

TEST_F(RewardListTest, UnknownKindsAndKeysAreNamed) {
  expect_error(ErrorKind::usage, {"--reward", "'lenght'", "did you mean 'length'?"},
               [&] { read("lenght=4"); });
  expect_error(ErrorKind::usage, {"'kindness'", "no kind", "head=...", "words=..."},
               [&] { read("kindness"); });
  expect_error(ErrorKind::usage, {"no kind"}, [&] { read("cap=2"); });
  expect_error(ErrorKind::usage, {"length", "does not take 'cap'"},
               [&] { read("length=4,cap=2"); });
  expect_error(ErrorKind::usage, {"does not take"}, [&] { read("regex=a,words=b"); });
  expect_error(ErrorKind::usage, {"empty"}, [&] { read(""); });
}

TEST_F(RewardListTest, NumbersMustBeWholeAndNotNegative) {
  for (const std::string number : {"-1", "1.5", "nan", "inf", "-inf", "1e30", "many", ""}) {
    expect_error(ErrorKind::usage, {"cap=" + number}, [&] { read("regex=a,cap=" + number); });
  }
  expect_error(ErrorKind::usage, {"length=50"}, [&] { read("length=0"); });
  expect_error(ErrorKind::usage, {"malformed"}, [&] { read("regex=("); });
}

}  // namespace
}  // namespace tq
