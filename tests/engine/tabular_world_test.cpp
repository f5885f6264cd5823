#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "transferq/core/error.hpp"
#include "transferq/engine/tabular/world.hpp"

namespace tq::tabular {
namespace {

using nlohmann::json;
const std::filesystem::path kWorlds = std::filesystem::path(TQ_FIXTURES) / "tabular";

TEST(Prefix, RoundTripsAndRefusesTheRest) {
  for (const std::string text : {"", "0", "0.1.2", "10.11"}) {
    EXPECT_EQ(format_prefix(parse_prefix(text)), text);
  }
  EXPECT_EQ(parse_prefix("12.3"), (Prefix{12, 3}));
  for (const std::string text : {".", "0.", ".0", "0..1", "a", "-1", "0 .1", "99999999999"}) {
    EXPECT_THROW(parse_prefix(text), Error) << text;
  }
}

// Every finished response of the world, with its log-probability under the reference.
void each_response(const TabularWorld& world, const TabularModel& model, Prefix& prefix,
                   double logprob, std::map<Prefix, double>& out) {
  const bool ended = !prefix.empty() && world.end == prefix.back();
  if (ended || prefix.size() == world.max_tokens) {
    out[prefix] = logprob;
    return;
  }
  for (Token token = 0; static_cast<std::size_t>(token) < world.vocabulary; ++token) {
    const double step = model.log_probabilities(prefix)[static_cast<std::size_t>(token)];
    prefix.push_back(token);
    each_response(world, model, prefix, logprob + step, out);
    prefix.pop_back();
  }
}

class Worlds : public testing::TestWithParam<int> {};

// The table read gives the solver's expected reward: every row and every reward is in its place.
TEST_P(Worlds, ExpectedRewardOfEveryPolicy) {
  const auto path = kWorlds / ("world_00" + std::to_string(GetParam()) + ".json");
  const TabularWorld world = load_world(path);
  EXPECT_GE(world.vocabulary, 3u);
  EXPECT_EQ(world.top_k, 2u);
  int policies = 0;
  for (const auto& [name, answer] : world.cases.items()) {
    if (!answer.contains("policy")) continue;
    const Table policy = read_table(answer["policy"], world.vocabulary, name);
    const auto model = world.model(policy, name);
    std::map<Prefix, double> responses;
    Prefix prefix;
    each_response(world, *model, prefix, 0, responses);
    double total = 0, reward = 0;
    for (const auto& [response, logprob] : responses) {
      ASSERT_EQ(world.reward.count(response), 1u) << format_prefix(response);
      ASSERT_EQ(world.baseline_reward.count(response), 1u) << format_prefix(response);
      ASSERT_EQ(world.prefix_reward.at(response), world.reward.at(response));
      total += std::exp(logprob);
      reward += std::exp(logprob) * world.reward.at(response);
    }
    EXPECT_EQ(responses.size(), world.reward.size());
    EXPECT_NEAR(total, 1, 1e-12) << name;
    EXPECT_NEAR(reward, answer["expected_reward"].get<double>(), 1e-12) << name;
    ++policies;
  }
  EXPECT_EQ(policies, 12);
}

INSTANTIATE_TEST_SUITE_P(Tabular, Worlds, testing::Range(1, 9));

json good() { return json::parse(std::ifstream(kWorlds / "world_001.json")); }

std::string complaint(const json& world) {
  try {
    parse_world(world, "w.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "";
}

TEST(World, EndOfTextIsOptional) {
  json world = good();
  EXPECT_EQ(parse_world(world).end, Token{2});
  world["eos"] = nullptr;
  EXPECT_FALSE(parse_world(world).end.has_value());
  world.erase("eos");
  EXPECT_FALSE(parse_world(world).end.has_value());
  world.erase("cases");
  EXPECT_TRUE(parse_world(world).cases.empty());
}

TEST(World, MalformedWorldsSayWhere) {
  struct Break {
    const char* patch;  // JSON merge patch
    const char* message;
  };
  for (const Break& b : std::vector<Break>{
           {R"({"vocab": null})", "w.json: 'vocab' is missing"},
           {R"({"vocab": 0})", "'vocab' must be a whole number"},
           {R"({"vocab": "3"})", "'vocab' must be a whole number"},
           {R"({"max_tokens": 2.5})", "'max_tokens' must be"},
           {R"({"top_k": -1})", "'top_k' must be"},
           {R"({"eos": 3})", "'eos' must be null or a token below 3"},
           {R"({"eos": -1})", "'eos' must be"},
           {R"({"alpha": 0})", "'alpha' must be above 0"},
           {R"({"beta": "x"})", "'beta' must be above 0"},
           {R"({"sft": {"": null}})", "'sft' has no row after the empty prefix"},
           {R"({"sft": {"0": [0.5, 0.5]}})", "'sft': the row after prefix '0' has 2"},
           {R"({"sft": {"0": [0.5, 0.4, 0.0]}})", "sums to 0.9"},
           {R"({"sft": {"0": "x"}})", "'sft': the row after '0' is not a list of numbers"},
           {R"({"sft": {"0": [0, "1", 0]}})", "not a list of numbers"},
           {R"({"sft": {"x": [0, 1, 0]}})", "'x' is not a list of tokens"},
           {R"({"sft": [1]})", "'sft': must be an object"},
           {R"({"reward": {"0.5": 1}})", "'reward': '0.5' has a token outside"},
           {R"({"reward": {"2": "high"}})", "'reward': the value of '2' is not a number"},
           {R"({"baseline_reward": null})", "'baseline_reward' is missing"},
           {R"({"prefix_reward": 1})", "'prefix_reward': must be an object"},
           {R"({"cases": 3})", "'cases' must be an object"},
       }) {
    json world = good();
    world.merge_patch(json::parse(b.patch));
    const std::string said = complaint(world);
    EXPECT_NE(said.find(b.message), std::string::npos) << b.patch << "\n" << said;
    EXPECT_EQ(said.find('\n'), std::string::npos);
  }
  EXPECT_NE(complaint(json::array()).find("JSON object"), std::string::npos);
}

TEST(World, FilesThatAreNone) {
  const auto path = std::filesystem::path(testing::TempDir()) / "tq_world_test.json";
  std::ofstream(path) << "{\"vocab\": 3,";
  const auto kind = [&] {
    try {
      load_world(path);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("tq_world_test.json"), std::string::npos);
      return error.kind();
    }
    return ErrorKind::usage;
  };
  EXPECT_EQ(kind(), ErrorKind::input);
  std::filesystem::remove(path);
  EXPECT_EQ(kind(), ErrorKind::io);
}

}  // namespace
}  // namespace tq::tabular
