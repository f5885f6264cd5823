#include "transferq/eval/row.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace tq {
namespace {

using nlohmann::ordered_json;

Generated some() {
  Generated g;
  g.decoded.tokens = {5, 6, 2};
  g.decoded.text = "ab";
  g.decoded.finish = Finish::stop;
  g.decoded.reward = 1.5;
  g.decoded.kl_to_reference = 0.25;
  g.evaluations = {1, 2, 3, 4, {}};
  g.prompt_tokens = 9;
  g.seconds = 0.5;
  return g;
}
const RowInfo kInfo{"tq", 7, "s1"};

TEST(Row, HasTheFieldsOfEveryRowInOrder) {
  EXPECT_EQ(
      make_row(make_prompt("p", "Hi"), some(), kInfo, {}).dump(),
      R"({"id":"p","settings":"s1","prompt":"Hi","response":"ab","prompt_tokens":9,"response_tokens":3,)"
      R"("decoder":"tq","seed":7,"finish_reason":"stop","reward":1.5,"kl_to_reference":0.25,)"
      R"("kl_kind":"exact","evaluations":{"policy":1,"reference":2,"reward":3,"prompt":4},)"
      R"("seconds":0.5})");
}

TEST(Row, SaysHowManyRollOutsCountWhereTheyAreWeighted) {
  Generated g = some();
  g.decoded.effective = EffectiveSamples{2.5, 1.25, 8};
  const Step step{{}, 0, 5, "a", 5, EffectiveSamples{3.5, 2, 8}};
  const auto row = make_row(make_prompt("p", "Hi"), g, kInfo, {step, Step{{}, 0, 6, "b", 6}});
  EXPECT_EQ(row["effective_samples"].dump(), R"({"mean":2.5,"min":1.25})");
  EXPECT_EQ(row["steps"][0]["effective_samples"].dump(), R"({"mean":3.5,"min":2.0})");
  EXPECT_FALSE(row["steps"][1].contains("effective_samples"));
}

TEST(Row, BeginsWithItsIdAndSettings) {
  for (const std::string id : {"p", "a \"b\"", "\xC3\xA9"}) {
    const std::string start = row_start(id, "s1");
    const std::string line = make_row(make_prompt(id, "Hi"), some(), kInfo, {}).dump();
    EXPECT_EQ(line.substr(0, start.size() + 1), start + ",");
  }
}

TEST(Row, SaysWhatWasCutAndWhatIsOnlyABound) {
  Generated g = some();
  g.decoded.finish = Finish::length;
  g.decoded.kl_kind = KlKind::bound;
  g.decoded.reward.reset();
  const auto row = make_row(make_prompt("p", "Hi"), g, kInfo, {});
  EXPECT_EQ(row["finish_reason"], "length");
  EXPECT_EQ(row["kl_kind"], "bound");
  g.decoded.kl_kind = KlKind::estimate;
  EXPECT_EQ(make_row(make_prompt("p", "Hi"), g, kInfo, {})["kl_kind"], "estimate");
  EXPECT_TRUE(row["reward"].is_null());
}

TEST(Row, AConversationIsKeptWithItsLastMessageAsThePrompt) {
  const Prompt prompt{"p", {{"system", "S"}, {"user", "U"}}};
  const auto row = make_row(prompt, some(), kInfo, {});
  EXPECT_EQ(row["prompt"], "U");
  EXPECT_EQ(
      row["messages"],
      ordered_json::parse(R"([{"role":"system","content":"S"},{"role":"user","content":"U"}])"));
}

TEST(Row, StepsCarryTheirCandidates) {
  const std::vector<Step> steps{
      {{{5, "a", -0.5, 2.0, 0.75}, {6, "\xC3", -1.5, 1.0, 0.25}}, 1, 6, "\xC3", 5}};
  const auto row = make_row(make_prompt("p", "Hi"), some(), kInfo, steps);
  EXPECT_EQ(row["steps"].dump(),
            "[{\"candidates\":[{\"token\":5,\"text\":\"a\",\"logprob\":-0.5,\"value\":2.0,"
            "\"probability\":0.75},{\"token\":6,\"text\":\"\xEF\xBF\xBD\",\"logprob\":-1.5,"
            "\"value\":1.0,\"probability\":0.25}],\"chosen\":6}]");
}

TEST(Row, StepsSayTheirBlocksAndAlphaAndNullForWhatIsNoNumber) {
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  std::vector<Step> steps{{{{5, "ab", -0.5, unknown, 1.0, {5, 6}}}, 0, 5, "a", 5},
                          {{}, 0, 6, "b", 6}};
  steps[0].alpha = std::numeric_limits<double>::infinity();
  const auto row = make_row(make_prompt("p", "Hi"), some(), kInfo, steps);
  EXPECT_EQ(row["steps"].dump(),
            "[{\"candidates\":[{\"token\":5,\"block\":[5,6],\"text\":\"ab\",\"logprob\":-0.5,"
            "\"value\":null,\"probability\":1.0}],\"chosen\":5,\"chosen_index\":0,\"alpha\":null},"
            "{\"candidates\":[],\"chosen\":6}]");
}

}  // namespace
}  // namespace tq
