// Hidden states, rewards and logits against Hugging Face transformers on the same weights in
// float32, on 20 sentences (fixtures/hidden_states.json, made by
// scripts/reference/hidden_states.py).
#include <gtest/gtest.h>

#include <array>

#include "real_models.hpp"
#include "transferq/engine/session.hpp"

namespace tq {
namespace {

TEST(HiddenState, EqualsTransformers) {
  const auto reference = testing::fixture("hidden_states.json");
  const auto model = testing::real_model("smollm2-f32");
  const HeadFile head = testing::sentiment_head(*model);
  SessionOptions options;
  options.cells = 512;
  options.cache = CacheType::f32;
  const auto session = model->open_session(options);
  ASSERT_EQ(reference.at("cases").size(), 20u);
  for (const auto& item : reference.at("cases")) {
    const std::string text = item.at("text");
    const std::vector<Token> tokens = model->tokenize(text, true);
    EXPECT_EQ(tokens, item.at("tokens").get<std::vector<Token>>()) << text;
    const Branch branch = Branch::open(*session);
    const std::array<Feed, 1> feeds{Feed{branch.id(), tokens, Want::logits | Want::hidden}};
    const Output output = session->forward(feeds).front();
    const auto hidden = item.at("hidden").get<std::vector<double>>();
    ASSERT_EQ(output.hidden.size(), hidden.size());
    double reward = head.bias;
    for (std::size_t i = 0; i < hidden.size(); ++i) {
      EXPECT_NEAR(output.hidden[i], hidden[i], 1e-3) << text << " at " << i;
      reward += double{head.weights[i]} * double{output.hidden[i]};
    }
    EXPECT_NEAR(reward, item.at("reward"), 1e-3) << text;
    const auto& top = item.at("top");
    for (std::size_t i = 0; i < top.at("tokens").size(); ++i) {
      EXPECT_NEAR(output.logits[top.at("tokens").at(i).get<std::size_t>()], top.at("logits").at(i),
                  1e-3)
          << text;
    }
  }
}

}  // namespace
}  // namespace tq
