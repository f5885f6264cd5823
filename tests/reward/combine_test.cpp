#include "transferq/reward/combine.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/reward/tiny_head.hpp"
#include "transferq/reward/linear_head.hpp"
#include "transferq/reward/reward_list.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::head_value;
using testing::random_head;
using testing::session_of;

Draft draft(std::string text, std::vector<float> hidden = {}) {
  Draft out{std::move(text), {}, {}, false};
  if (!hidden.empty()) out.trail.append(std::move(hidden));
  return out;
}

// Formulas, on rules.
class CombineTest : public ::testing::Test {
 protected:
  std::unique_ptr<Reward> read(const std::string& list) {
    return make_reward(list, store_, model_, Format::raw);
  }
  double score(const std::string& list, const std::string& text) {
    SessionPool pool(session_of());
    const std::vector<Draft> drafts{draft(text)};
    const auto reward = read(list);
    return reward->open(make_prompt("a", "b"), pool, {10, 2, 2})->score(drafts).at(0);
  }

  ModelStore store_;
  const std::shared_ptr<const Model> model_ = testing::endless(12);
};

TEST_F(CombineTest, SumsAndProducts) {
  EXPECT_EQ(score("sum={words=a} {words=b}", "a a b"), 3.0);
  EXPECT_EQ(score("sum={words=a} {words=b},weights=1 -0.5", "a a b"), 1.5);
  EXPECT_EQ(score("sum={words=a},weights=3", "a a"), 6.0);
  EXPECT_EQ(score("sum=words=a", "a"), 1.0);
  EXPECT_EQ(score("product={words=a} {words=b} {words=c}", "a a b b b c"), 6.0);
  EXPECT_EQ(score("product={words=a}", "a a"), 2.0);
}

TEST_F(CombineTest, ClipsSignsAndScales) {
  EXPECT_EQ(score("clip={words=a},low=1,high=2", ""), 1.0);
  EXPECT_EQ(score("clip={words=a},low=1,high=2", "a a a"), 2.0);
  EXPECT_EQ(score("clip={words=a},high=2", "a"), 1.0);
  EXPECT_EQ(score("clip={avoid=a},low=-1", "a a"), -1.0);
  EXPECT_EQ(score("sign={words=a,avoid=b}", "a a b"), 1.0);
  EXPECT_EQ(score("sign={words=a,avoid=b}", "b"), -1.0);
  EXPECT_EQ(score("sign={words=a,avoid=b}", "a b"), 0.0);
  EXPECT_EQ(score("scale={words=a},by=-2,plus=5", "a"), 3.0);
  EXPECT_EQ(score("scale={words=a},plus=1", "a"), 2.0);
}

TEST_F(CombineTest, Nest) {
  EXPECT_EQ(score("sum={scale={words=a b},by=2} {sign={sum={words=c} {avoid=d d}}},weights=1 10",
                  "a b c"),
            14.0);
  EXPECT_EQ(score("clip={product={regex=[a-c]{2\\,}} {scale={words=aa},by=3}},high=5", "aa bb"),
            5.0);
}

TEST_F(CombineTest, ManyDraftsScoreAsOneByOne) {
  const auto reward = read("sum={words=a} {product={length=2} {words=b}}");
  std::vector<Draft> drafts;
  for (const char* text : {"a", "a b", "", "b b b", "a"}) drafts.push_back(draft(text));
  SessionPool pool(session_of());
  const auto scorer = reward->open(make_prompt("a", "b"), pool, {10, 2, 2});
  const auto together = scorer->score(drafts);
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    EXPECT_EQ(scorer->score({&drafts[i], 1}).at(0), together[i]);
  }
  EXPECT_TRUE(scorer->score({}).empty());
}

TEST_F(CombineTest, AnOverflowIsNoScore) {
  expect_error(ErrorKind::input, {"not a finite number"},
               [&] { score("scale={scale={words=a},by=1e300},by=1e300", "a"); });
}

TEST_F(CombineTest, BoundsAndPartialScoringFollow) {
  EXPECT_TRUE(read("sum={words=a,cap=1} {regex=b,cap=2}")->info().range.bounded());
  EXPECT_FALSE(read("sum={words=a,cap=1} {regex=b}")->info().range.bounded());
  EXPECT_FALSE(read("product={words=a} {regex=b,cap=1}")->info().range.bounded());
  EXPECT_TRUE(read("clip={words=a},low=0,high=1")->info().range.bounded());
  EXPECT_FALSE(read("clip={words=a},high=1")->info().range.bounded());
  EXPECT_TRUE(read("clip={words=a,cap=3},high=1")->info().range.bounded());
  EXPECT_TRUE(read("sign={words=a}")->info().range.bounded());
  EXPECT_TRUE(read("scale={words=a,cap=3},by=2")->info().range.bounded());
  const auto expect_range = [&](const std::string& list, double low, double high) {
    const Range range = read(list)->info().range;
    EXPECT_EQ(range.low, low) << list;
    EXPECT_EQ(range.high, high) << list;
  };
  constexpr double kNone = std::numeric_limits<double>::infinity();
  expect_range("length=5", -kNone, 0);
  expect_range("scale={length=5},by=-2,plus=1", 1, kNone);
  expect_range("sum={words=a,cap=1} {regex=b,cap=2},weights=2 -1", -4, 2);
  expect_range("product={words=a,cap=2} {regex=b,cap=3}", -6, 6);
  expect_range("product={length=5} {regex=b,cap=3}", -kNone, 0);
  expect_range("clip={regex=b,cap=3},low=1,high=2", 1, 2);
  expect_range("clip={length=5},low=-2", -2, 0);
  EXPECT_TRUE(read("sum={words=a} {words=b}")->info().partial);
  EXPECT_FALSE(read("sum={words=a} {program=x,partial=0}")->info().partial);
  EXPECT_FALSE(read("scale={sum={words=a} {program=x,partial=0}}")->info().partial);
}

TEST_F(CombineTest, TheFingerprintFollowsInnerOnesAndSettings) {
  const std::vector<std::string> different{"sum={words=a} {words=b}",
                                           "sum={words=b} {words=a}",
                                           "product={words=a} {words=b}",
                                           "sum={words=a} {words=c}",
                                           "sum={words=a} {words=b},weights=1 2",
                                           "scale={words=a},by=2",
                                           "scale={words=a},plus=2",
                                           "sign={words=a}",
                                           "clip={words=a},high=1",
                                           "clip={words=a},low=1",
                                           "sum={words=a}",
                                           "product={words=a}",
                                           "sum={sum={words=a} {words=b}}",
                                           "words=a"};
  std::set<std::string> prints;
  for (const std::string& list : different) prints.insert(read(list)->info().fingerprint);
  EXPECT_EQ(prints.size(), different.size());
  EXPECT_EQ(read(different[0])->info().fingerprint, read(different[0])->info().fingerprint);
  EXPECT_EQ(read("sum={words=a} {words=b},weights=1 1")->info().fingerprint,
            read(different[0])->info().fingerprint);
}

TEST_F(CombineTest, MalformedListsAreRefused) {
  const auto refuse = [&](const std::string& list, const std::vector<std::string>& words) {
    expect_error(ErrorKind::usage, words, [&] { read(list); });
  };
  refuse("sum=", {"sum={length=50}"});
  refuse("sum={words=a} {words=b},weights=1", {"1 numbers for 2"});
  refuse("sum={words=a},weights=", {"0 numbers for 1"});
  refuse("sum={words=a},weights=x", {"weights=x"});
  refuse("sum={words=a},weights=inf", {"finite"});
  refuse("sum={words=a} {nonsense=1}", {"nonsense"});
  refuse("sum={words=a} words=b", {"in braces"});
  refuse("sum={words=a},low=1", {"does not take 'low'"});
  refuse("clip={words=a}", {"low= or high="});
  refuse("clip={words=a},low=2,high=1", {"2 and 1"});
  refuse("clip={words=a},low=nan", {"finite"});
  refuse("scale={words=a} {words=b}", {"takes one reward, not 2"});
  refuse("scale={words=a},by=many", {"by=many"});
  refuse("normalise={words=a}", {"tq fit", "scale="});
  refuse("normalise={sum={words=a} {words=b}}", {"tq fit"});
}

// Heads: calibration, hidden states and costs.
class CombineHeadsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Reward> head(const Policy& base, std::uint64_t seed = 1,
                               std::optional<Calibration> calibration = std::nullopt) {
    HeadFile file = random_head(base.model(), seed);
    file.calibration = calibration;
    const auto path = tiny_ / ("head" + std::to_string(++count_) + ".gguf");
    write_head(path, file);
    return make_linear_head(path, base);
  }
  template <typename... Rewards>
  static InnerRewards list(Rewards... rewards) {
    InnerRewards out;
    (out.push_back(std::move(rewards)), ...);
    return out;
  }
  std::vector<float> hidden(const Policy& policy, const std::string& response) const {
    return testing::evaluate(policy.model(), tokens(policy, response)).hidden;
  }
  double value(const Policy& policy, const std::string& response, std::uint64_t seed = 1) const {
    return head_value(random_head(policy.model(), seed), policy.model(), tokens(policy, response));
  }
  testing::Tokens tokens(const Policy& policy, const std::string& response) const {
    using testing::operator+;
    return policy.encode(prompt_) + policy.model().tokenize(response, false);
  }
  Stream stream(const Policy& policy) {
    return Stream(policy, pool_.get(policy), policy.encode(prompt_));
  }

  testing::TinyModels tiny_;
  int count_ = 0;
  const Policy ours_{tiny_.load(), Format::chat};
  const Policy other_{tiny_.load({.seed = 2}), Format::chat};
  const Prompt prompt_ = make_prompt("a", "The good and the bad");
  const Workload work_{40, 8, 20};
  SessionPool pool_{session_of(600)};
};

TEST_F(CombineHeadsTest, CalibrationFollowsWhereItIsKnown) {
  const Calibration scale{2, 4};
  const auto scaled = make_scale(head(ours_, 1, scale), -3, 1);
  EXPECT_EQ(scaled->info().calibration->mean, -5);
  EXPECT_EQ(scaled->info().calibration->spread, 12);
  const auto normal = make_normalised(head(ours_, 1, scale));
  EXPECT_EQ(normal->info().calibration->mean, 0);
  EXPECT_EQ(normal->info().calibration->spread, 1);
  const std::vector<Draft> drafts{draft("Yes")};
  EXPECT_NEAR(normal->open(prompt_, pool_, work_)->score(drafts).at(0),
              (value(ours_, "Yes") - 2) / 4, 1e-5);
  EXPECT_FALSE(make_sum(list(head(ours_, 1, scale), head(ours_, 2, scale)), {1, 1})
                   ->info()
                   .calibration.has_value());
  EXPECT_EQ(make_sum(list(head(ours_, 1, scale)), {2})->info().calibration->mean, 4);
  EXPECT_FALSE(make_clip(head(ours_, 1, scale), 0)->info().calibration.has_value());
  expect_error(ErrorKind::usage, {"spread", "0"}, [&] {
    make_normalised(head(ours_, 1, Calibration{1, 0}));
  });
}

TEST_F(CombineHeadsTest, AHiddenStateGoesOnlyToTheHeadThatReadsIt) {
  const auto sum = make_sum(list(head(ours_), head(other_, 3)), {1, 10});
  const auto scorer = sum->open(prompt_, pool_, work_);
  const Stream at = stream(ours_);
  ASSERT_TRUE(scorer->reads(at));
  const std::vector<Draft> drafts{draft("Yes", hidden(ours_, "Yes")), draft("No")};
  const auto scores = scorer->score(drafts);
  EXPECT_NEAR(scores[0], value(ours_, "Yes") + 10 * value(other_, "Yes", 3), 1e-4);
  EXPECT_NEAR(scores[1], value(ours_, "No") + 10 * value(other_, "No", 3), 1e-4);
  const auto costs = scorer->costs();
  ASSERT_EQ(costs.size(), 2u);
  EXPECT_EQ(costs[0].responses, ours_.model().tokenize("No", false).size());
}

TEST_F(CombineHeadsTest, TwoHeadsOnTheDecodingModelCostNothing) {
  const auto sum = make_sum(list(head(ours_, 1), head(ours_, 2)), {1, 1});
  const auto scorer = sum->open(prompt_, pool_, work_);
  ASSERT_TRUE(scorer->reads(stream(ours_)));
  const std::vector<Draft> drafts{draft("Yes", hidden(ours_, "Yes"))};
  EXPECT_NEAR(scorer->score(drafts).at(0), value(ours_, "Yes", 1) + value(ours_, "Yes", 2), 1e-4);
  EXPECT_EQ(scorer->evaluations() + scorer->prompt_evaluations(), 0u);
}

TEST_F(CombineHeadsTest, WhereTwoStreamsAreReadByDifferentHeadsBothEvaluate) {
  const auto sum = make_sum(list(head(ours_), head(other_, 3)), {1, 1});
  const auto scorer = sum->open(prompt_, pool_, work_);
  ASSERT_TRUE(scorer->reads(stream(ours_)));
  ASSERT_TRUE(scorer->reads(stream(other_)));
  // Nobody can tell whose state this is any more.
  const std::vector<Draft> drafts{draft("Yes", hidden(ours_, "Yes")),
                                  draft("No", hidden(other_, "No"))};
  const auto scores = scorer->score(drafts);
  EXPECT_NEAR(scores[0], value(ours_, "Yes") + value(other_, "Yes", 3), 1e-4);
  EXPECT_NEAR(scores[1], value(ours_, "No") + value(other_, "No", 3), 1e-4);
}

TEST_F(CombineHeadsTest, AStreamThatNobodyReadsChangesNothing) {
  const auto sum = make_sum(list(head(ours_), head(other_, 3)), {1, 1});
  const auto scorer = sum->open(prompt_, pool_, work_);
  ASSERT_TRUE(scorer->reads(stream(ours_)));
  const Policy kind(ours_.shared_model(), Format::chat, {}, "Be kind");
  EXPECT_FALSE(scorer->reads(Stream(kind, pool_.get(kind), kind.encode(prompt_))));
  const std::vector<Draft> drafts{draft("Yes", hidden(ours_, "Yes"))};
  EXPECT_NEAR(scorer->score(drafts).at(0), value(ours_, "Yes") + value(other_, "Yes", 3), 1e-4);
  EXPECT_EQ(scorer->costs().size(), 1u);  // only the other model was evaluated
}

TEST_F(CombineHeadsTest, AHiddenStateThatWasNotAskedForIsIgnored) {
  const auto sum = make_sum(list(head(ours_), head(other_, 3)), {1, 1});
  const std::vector<Draft> drafts{draft("Yes", std::vector<float>(32, 100.0F))};
  EXPECT_NEAR(sum->open(prompt_, pool_, work_)->score(drafts).at(0),
              value(ours_, "Yes") + value(other_, "Yes", 3), 1e-4);
}

TEST_F(CombineHeadsTest, NestedCombinationsHandStatesDown) {
  auto inner = make_sum(list(head(other_, 3), head(ours_, 2)), {1, 1});
  const auto sum = make_sum(list(make_scale(head(ours_), 2, 0), std::move(inner)), {1, 1});
  const auto scorer = sum->open(prompt_, pool_, work_);
  ASSERT_TRUE(scorer->reads(stream(ours_)));
  const std::vector<Draft> drafts{draft("Yes", hidden(ours_, "Yes"))};
  EXPECT_NEAR(scorer->score(drafts).at(0),
              2 * value(ours_, "Yes") + value(other_, "Yes", 3) + value(ours_, "Yes", 2), 1e-4);
  const auto costs = scorer->costs();
  ASSERT_EQ(costs.size(), 1u);
  EXPECT_EQ(costs[0].model, other_.model().name());
}

TEST_F(CombineHeadsTest, CostsOfOneModelAreOneEntry) {
  const auto sum = make_sum(list(head(ours_, 1), head(other_), head(ours_, 2)), {1, 1, 1});
  const auto scorer = sum->open(prompt_, pool_, work_);
  const std::vector<Draft> drafts{draft("xyz")};
  scorer->score(drafts);
  const auto costs = scorer->costs();
  ASSERT_EQ(costs.size(), 2u);
  EXPECT_EQ(costs[0].model, ours_.model().name());
  EXPECT_EQ(costs[0].responses, 6u);
  EXPECT_EQ(costs[0].prompt, 2 * ours_.encode(prompt_).size());
  EXPECT_EQ(costs[1].responses, 3u);
}

}  // namespace
}  // namespace tq
