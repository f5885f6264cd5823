#include "transferq/eval/metrics/perplexity.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/core/logspace.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::session_of;
using testing::Tokens;
using testing::operator+;

Policy raw(std::shared_ptr<const Model> model) { return Policy(std::move(model), Format::raw); }

TEST(Perplexity, ByHand) {
  // After 0 comes 1 with 1/2; after 0, 1 comes 2 with 1/8: sqrt(2 * 8) = 4.
  const tabular::Table table{{{0}, {0.25, 0.5, 0.25}}, {{0, 1}, {0.5, 0.375, 0.125}}};
  const auto model = std::make_shared<tabular::TabularModel>(3, table);
  PerplexityMeter meter(raw(model), session_of());
  EXPECT_NEAR(*meter.of(make_prompt("a", "0"), Tokens{1, 2}), 4, 1e-12);
  EXPECT_EQ(meter.evaluations(), 3u);
  EXPECT_NEAR(*meter.of(make_prompt("a", "0"), Tokens{1}), 2, 1e-12);
  EXPECT_NEAR(*meter.of(make_prompt("a", "01"), Tokens{2}), 8, 1e-12);
}

TEST(Perplexity, IsTheVocabularyWhereAllIsChance) {
  PerplexityMeter meter(raw(testing::endless(7)), session_of());
  for (std::size_t n = 1; n < 100; n += 9) {
    EXPECT_NEAR(*meter.of(make_prompt("a", "123"), Tokens(n, 4)), 7, 1e-9);
  }
}

TEST(Perplexity, IsTheExactProductOnATable) {
  const auto model = testing::random_table(4, 6);
  PerplexityMeter meter(raw(model), session_of());
  for (std::uint32_t run = 0; run < 50; ++run) {
    Tokens text{1, 0, 2};
    double product = 1;
    const std::size_t n = 1 + run % 4;
    for (std::size_t i = 0; i < n; ++i) {
      const auto& row = model->log_probabilities(text);
      const double u = uniform({.seed = run, .position = static_cast<std::uint32_t>(i)});
      text.push_back(static_cast<Token>(4 * u));
      product *= std::exp(row.at(static_cast<std::size_t>(text.back())));
    }
    const Tokens response(text.begin() + 3, text.end());
    EXPECT_NEAR(*meter.of(make_prompt("a", "102"), response),
                std::pow(product, -1 / static_cast<double>(n)), 1e-9);
  }
}

TEST(Perplexity, HasNoValueWhereThereIsNone) {
  const tabular::Table table{{{0}, {1, 0}}};
  PerplexityMeter meter(raw(std::make_shared<tabular::TabularModel>(2, table)), session_of(8));
  const Prompt prompt = make_prompt("a", "0");
  EXPECT_EQ(meter.of(prompt, {}), std::nullopt);
  EXPECT_EQ(meter.of(prompt, Tokens{1}), std::nullopt);     // it has no chance
  EXPECT_EQ(meter.of(prompt, Tokens(8, 0)), std::nullopt);  // nine tokens in eight cells
  EXPECT_TRUE(meter.of(prompt, Tokens(7, 0)).has_value());
  EXPECT_EQ(*meter.of(prompt, Tokens{0}), 1);  // certain
}

TEST(Perplexity, RefusesOtherTokensAndStops) {
  PerplexityMeter meter(raw(testing::endless(7)), session_of());
  const Prompt prompt = make_prompt("a", "0");
  expect_error(ErrorKind::usage, {"token 7", "endless", "own tokens"}, [&] {
    meter.of(prompt, Tokens{1, 7});
  });
  expect_error(ErrorKind::usage, {"token -1"}, [&] { meter.of(prompt, Tokens{-1}); });
  std::stop_source stop;
  stop.request_stop();
  expect_error(ErrorKind::interrupted, {"interrupted"},
               [&] { meter.of(prompt, Tokens{1}, stop.get_token()); });
  EXPECT_NEAR(*meter.of(prompt, Tokens{1}), 7, 1e-9);  // and goes on afterwards
}

TEST(Perplexity, OfATinyModelEqualsTokenByToken) {
  testing::TinyModels tiny;
  const Policy policy(tiny.load(), Format::chat, {}, "Be kind");
  PerplexityMeter meter(policy, session_of());
  std::uint64_t fed = 0;
  for (const std::size_t n : {1u, 5u, 70u, 3u}) {  // 70: more than one evaluation's outputs
    const Prompt prompt = make_prompt("a", "a question of " + std::to_string(n));
    Tokens text = policy.encode(prompt);
    Tokens response;
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const auto token = static_cast<Token>(70 + (i * 7) % 30);
      const Output output = testing::evaluate(policy.model(), text);
      sum += log_softmax(output.logits).at(static_cast<std::size_t>(token));
      text.push_back(token);
      response.push_back(token);
    }
    fed += text.size();
    EXPECT_NEAR(std::log(*meter.of(prompt, response)), -sum / static_cast<double>(n), 1e-4) << n;
    EXPECT_EQ(meter.evaluations(), fed);
  }
}

}  // namespace
}  // namespace tq
