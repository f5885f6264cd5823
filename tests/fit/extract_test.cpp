#include "transferq/fit/extract.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/eval/examples.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::operator+;

class ExtractTest : public ::testing::Test {
 protected:
  static std::vector<Unit> pairs(int count) {
    std::vector<Unit> units;
    for (int i = 0; i < count; ++i) {
      Unit unit;
      unit.source = "data line " + std::to_string(i + 1);
      unit.prompt = make_prompt(std::to_string(i), "Say " + std::to_string(i));
      unit.responses = {"good the and " + std::to_string(i), "bad bad"};
      unit.group = std::to_string(i);
      units.push_back(std::move(unit));
    }
    return units;
  }
  ExtractOptions options(int threads = 1, const std::string& store = "store") {
    ExtractOptions out;
    out.session = testing::session_of();
    out.session.threads = threads;
    out.store = tiny_ / store;
    return out;
  }

  testing::TinyModels tiny_;
  const Policy base_{tiny_.load(), Format::chat};
};

TEST_F(ExtractTest, FeaturesAreTheStatesEvaluatedFromNothing) {
  const auto units = pairs(3);
  const auto read = extract_features(units, base_, options());
  EXPECT_EQ(read.texts, 6u);
  EXPECT_EQ(read.cached, 0u);
  const FeatureMatrix by_last = pooled_by({.last = true}, read);
  const FeatureMatrix by_mean = pooled_by({.mean = true}, read);
  const FeatureMatrix by_bounds = pooled_by({.max = true, .min = true}, read);
  ASSERT_EQ(by_last.values.size(), 6 * base_.model().hidden_size());
  ASSERT_EQ(by_mean.values.size(), by_last.values.size());
  ASSERT_EQ(by_bounds.values.size(), 2 * by_last.values.size());
  for (std::size_t row = 0; row < 6; ++row) {
    const Unit& unit = units[row / 2];
    testing::Tokens tokens = base_.encode(unit.prompt);
    const std::size_t prompt = tokens.size();
    tokens = tokens + base_.model().tokenize(unit.responses[row % 2], false);
    const auto last = testing::evaluate(base_.model(), tokens).hidden;
    std::vector<double> mean(last.size(), 0.0);
    std::vector<float> most(last.size(), -1e9F), least(last.size(), 1e9F);
    for (std::size_t end = prompt; end <= tokens.size(); ++end) {
      const auto state = testing::evaluate(base_.model(), {tokens.begin(), tokens.begin() + end});
      for (std::size_t j = 0; j < mean.size(); ++j) {
        mean[j] += double{state.hidden[j]} / static_cast<double>(tokens.size() - prompt + 1);
        most[j] = std::max(most[j], state.hidden[j]);
        least[j] = std::min(least[j], state.hidden[j]);
      }
    }
    for (std::size_t j = 0; j < last.size(); ++j) {
      EXPECT_NEAR(by_last.row(row)[j], last[j], 2e-4);
      EXPECT_NEAR(by_mean.row(row)[j], mean[j], 2e-4);
      EXPECT_NEAR(by_bounds.row(row)[j], most[j], 2e-4);
      EXPECT_NEAR(by_bounds.row(row)[last.size() + j], least[j], 2e-4);
    }
  }
}

TEST_F(ExtractTest, ASecondTimeNothingIsEvaluated) {
  const auto units = pairs(5);
  std::atomic<int> done{0};
  const auto first = extract_features(units, base_, options(), {}, [&] { ++done; });
  EXPECT_EQ(done, 5);
  EXPECT_GT(first.evaluations, 0u);
  const auto second = extract_features(units, base_, options(), {}, [&] { ++done; });
  EXPECT_EQ(done, 10);
  EXPECT_EQ(second.evaluations, 0u);
  EXPECT_EQ(second.cached, 10u);
  EXPECT_EQ(second.features.values, first.features.values);
  // One pooling is there; another text, model, format or precision is not.
  auto other = options();
  other.pooling = {.last = true};
  EXPECT_EQ(extract_features(units, base_, other).evaluations, 0u);
  other = options();
  other.conversation = false;
  EXPECT_GT(extract_features(units, base_, other).evaluations, 0u);
  other = options();
  other.session.cache = CacheType::f16;
  EXPECT_GT(extract_features(units, base_, other).evaluations, 0u);
  const Policy raw(base_.shared_model(), Format::raw);
  EXPECT_GT(extract_features(units, raw, options()).evaluations, 0u);
  const Policy another(tiny_.load({.seed = 9}), Format::chat);
  EXPECT_GT(extract_features(units, another, options()).evaluations, 0u);
}

TEST_F(ExtractTest, ThreadsAndWhatWasThereChangeNothing) {
  const auto units = pairs(8);
  const auto one = extract_features(units, base_, options(1, "a"));
  const auto three = extract_features(units, base_, options(3, "b"));
  EXPECT_EQ(one.features.values, three.features.values);
  extract_features({units.begin() + 2, units.begin() + 5}, base_, options(1, "c"));
  const auto rest = extract_features(units, base_, options(1, "c"));
  EXPECT_EQ(rest.cached, 6u);
  EXPECT_EQ(rest.features.values, one.features.values);
}

TEST_F(ExtractTest, LongTextsAreCutAtTheEndAndCounted) {
  auto units = pairs(3);
  const std::size_t prompt = base_.encode(units[0].prompt).size();
  units[1].responses = {"good good good good good", "good good good"};  // the same when cut
  units[2].prompt = make_prompt("long", std::string(200, 'x'));
  auto some = options();
  some.max_tokens = prompt + 2;
  const CutCounts counts = cut_texts(units, base_, some);
  EXPECT_EQ(counts.left_out, 1u);
  EXPECT_EQ(counts.identical, 1u);
  EXPECT_EQ(counts.cut, 4u);
  ASSERT_EQ(units.size(), 1u);
  for (const std::string& response : units[0].responses) {
    EXPECT_EQ(base_.model().tokenize(response, false).size(), 2u);
  }
  auto whole = pairs(2);
  const CutCounts none = cut_texts(whole, base_, options());
  EXPECT_EQ(none.cut + none.left_out + none.identical, 0u);
  EXPECT_EQ(fingerprint(whole), fingerprint(pairs(2)));
}

TEST_F(ExtractTest, AStoppedRunIsInterruptedAndGoesOnLater) {
  std::stop_source stop;
  expect_error(ErrorKind::interrupted, {"goes on from there"}, [&] {
    extract_features(pairs(6), base_, options(), stop.get_token(), [&] { stop.request_stop(); });
  });
  EXPECT_EQ(extract_features(pairs(6), base_, options()).cached, 2u);
}

TEST(UnitsTest, LabelsAreZeroOrOneAndNamedByLine) {
  const auto units = [](const std::string& text) {
    return make_units(parse_examples(text, "data"), "data");
  };
  const Units read = units("1 good\n0 bad\n1 good\n");
  ASSERT_EQ(read.units.size(), 3u);
  EXPECT_EQ(read.units[1].label, 0);
  EXPECT_EQ(read.units[0].group, read.units[2].group);
  EXPECT_NE(read.units[0].group, read.units[1].group);
  expect_error(ErrorKind::input, {"data line 2", "2", "neither 0 nor 1"},
               [&] { units("1 good\n2 bad\n"); });
  expect_error(ErrorKind::input, {"data line 1", "no 'label'"},
               [&] { units(R"({"response":"a"})"); });
  EXPECT_EQ(units(R"({"response":" ","label":1})").empty, 1u);
  Units both = read;
  expect_error(ErrorKind::input, {"data line 1", "pair"},
               [&] { append(both, units(R"({"chosen":"a","rejected":"b"})")); });
}

TEST(UnitsTest, ASampleKeepsTheOrderAndTheSeedDecides) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "1 text " + std::to_string(i) + "\n";
  const auto all = make_units(parse_examples(text, "data"), "data").units;
  const auto some = sample(all, 20, 1);
  EXPECT_EQ(some.size(), 20u);
  EXPECT_EQ(fingerprint(some), fingerprint(sample(all, 20, 1)));
  EXPECT_NE(fingerprint(some), fingerprint(sample(all, 20, 2)));
  EXPECT_EQ(fingerprint(sample(all, 50, 1)), fingerprint(all));
  auto relabelled = all;
  relabelled[3].label = 0;
  EXPECT_NE(fingerprint(relabelled), fingerprint(all));
}

}  // namespace
}  // namespace tq
