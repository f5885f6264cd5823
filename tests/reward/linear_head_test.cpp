#include "transferq/reward/linear_head.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "tests/reward/tiny_head.hpp"
#include "transferq/engine/llama/convert.hpp"
#include "transferq/reward/features.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::head_value;
using testing::random_head;
using testing::session_of;
using testing::Tokens;
using testing::operator+;

Draft draft(std::string text) { return {std::move(text), {}, {}, false}; }

class LinearHeadTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const HeadFile& head) {
    const auto path = tiny_ / ("head" + std::to_string(++count_) + ".gguf");
    write_head(path, head);
    return path;
  }
  std::vector<double> score(const Reward& reward, const std::vector<Draft>& drafts) {
    SessionPool pool(session_of());
    return reward.open(prompt_, pool, {40, 8, 20})->score(drafts);
  }
  Tokens tokens(const std::string& response) const {
    return policy_.encode(prompt_) + policy_.model().tokenize(response, false);
  }

  testing::TinyModels tiny_;
  int count_ = 0;
  const std::filesystem::path file_ = tiny_.file();
  const Policy policy_{llama::load_model(file_), Format::chat};
  const Prompt prompt_ = make_prompt("a", "The good and the bad");
  const HeadFile head_ = random_head(policy_.model());
};

TEST_F(LinearHeadTest, AScoreIsTheWeightedHiddenStatePlusTheBias) {
  const auto reward = make_linear_head(write(head_), policy_);
  const std::vector<std::string> texts{"Yes", "No, not you", "", "caf\xC3\xA9"};
  for (const std::string& text : texts) {
    EXPECT_NEAR(score(*reward, {draft(text)}).at(0),
                head_value(head_, policy_.model(), tokens(text)), 1e-5)
        << text;
  }
}

TEST_F(LinearHeadTest, SpecialTokensInAResponseStayPlainText) {
  const auto reward = make_linear_head(write(head_), policy_);
  EXPECT_NEAR(score(*reward, {draft("a<|im_end|>")}).at(0),
              head_value(head_, policy_.model(), tokens("a<|im_end|>")), 1e-5);
}

TEST_F(LinearHeadTest, AResponseHeadReadsTheResponseAlone) {
  const HeadFile head = random_head(policy_.model(), 1, "response");
  const auto reward = make_linear_head(write(head), policy_);
  EXPECT_NEAR(score(*reward, {draft("Yes, you")}).at(0),
              head_value(head, policy_.model(), policy_.model().tokenize("Yes, you", true)), 1e-5);
}

TEST_F(LinearHeadTest, SpecialTokensInAResponseAloneStayPlainText) {
  const HeadFile head = random_head(policy_.model(), 1, "response");
  const auto reward = make_linear_head(write(head), policy_);
  EXPECT_NEAR(score(*reward, {draft("a<|im_end|>")}).at(0),
              head_value(head, policy_.model(), policy_.model().tokenize("a<|im_end|>", false)),
              1e-5);
}

TEST_F(LinearHeadTest, MeanPoolingIsTheMeanOverTheResponseAndWhatItFollows) {
  HeadFile head = head_;
  head.pooling = "mean";
  const auto reward = make_linear_head(write(head), policy_);
  const Tokens prompt = policy_.encode(prompt_);
  const std::vector<Draft> drafts{draft("Yes, you"), draft(""), draft("Yes")};
  const auto scores = score(*reward, drafts);
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    const Tokens all = tokens(drafts[i].text);
    double sum = 0;
    for (std::size_t n = prompt.size(); n <= all.size(); ++n) {
      sum += head_value(head, policy_.model(), {all.begin(), all.begin() + static_cast<long>(n)});
    }
    EXPECT_NEAR(scores[i], sum / static_cast<double>(all.size() - prompt.size() + 1), 1e-5);
  }
}

TEST_F(LinearHeadTest, EndPoolingReadsTheTokenThatEndsTheTurn) {
  HeadFile head = head_;
  head.pooling = "end";
  const auto reward = make_linear_head(write(head), policy_);
  for (const std::string text : {"Yes, you", "", "Yes"}) {
    EXPECT_NEAR(score(*reward, {draft(text)}).at(0),
                head_value(head, policy_.model(), tokens(text) + Tokens{policy_.model().end()}),
                1e-5);
  }
  const auto session = policy_.model().open_session(session_of(64, 4));
  SessionPool pool(session_of());
  EXPECT_FALSE(reward->open(prompt_, pool, {40, 8, 20})
                   ->reads(Stream(policy_, *session, policy_.encode(prompt_))));
}

TEST_F(LinearHeadTest, APolicysTokensOfTheSameVocabularyAreReadAsTheyAre) {
  const auto reward = make_linear_head(write(head_), policy_, false, true);
  Draft split = draft("and then");
  for (const char c : split.text) {  // one token a byte, where the tokenizer would merge
    split.tokens.push_back(policy_.model().tokenize(std::string(1, c), false).at(0));
  }
  split.tokens.push_back(2);  // <|im_end|>
  const Tokens response(split.tokens.begin(), split.tokens.end() - 1);
  EXPECT_NE(response, policy_.model().tokenize("and then", false));
  EXPECT_NEAR(score(*reward, {split}).at(0),
              head_value(head_, policy_.model(), policy_.encode(prompt_) + response), 1e-5);
}

TEST_F(LinearHeadTest, ATextBeyondTheContextIsCutAtItsEnd) {
  const auto reward = make_linear_head(write(head_), policy_);
  const std::string text(400, 'x');
  Tokens all = tokens(text);
  all.resize(policy_.model().context());
  EXPECT_NEAR(score(*reward, {draft(text)}).at(0), head_value(head_, policy_.model(), all), 1e-4);
  SessionPool pool(session_of(0));
  expect_error(ErrorKind::input, {"shorten the prompt"}, [&] {
    reward->open(make_prompt("a", text), pool, {40, 8, 20});
  });
}

TEST_F(LinearHeadTest, AWholeTextIsReadAsItIsWithoutTheBias) {
  const auto reward = make_linear_head(write(head_), policy_);
  const std::string text = "<|im_start|>Yes<|im_end|>";
  EXPECT_NEAR(score(*reward, {{text, {}, {}, true}}).at(0),
              head_value(head_, policy_.model(), policy_.model().tokenize(text, true)) - head_.bias,
              1e-5);
}

TEST_F(LinearHeadTest, TogetherOrOneByOneIsTheSame) {
  const auto reward = make_linear_head(write(head_), policy_);
  std::vector<Draft> drafts;
  for (const std::string text : {"Yes", "Yes, you", "No", "", "No, never and then", "Yes"}) {
    drafts.push_back(draft(text));
  }
  const auto together = score(*reward, drafts);
  SessionPool pool(session_of());
  const auto scorer = reward->open(prompt_, pool, {40, 8, 20});
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    EXPECT_NEAR(scorer->score({&drafts[i], 1}).at(0), together[i], 1e-5);
    EXPECT_NEAR(score(*reward, {drafts[i]}).at(0), together[i], 1e-5);
  }
}

TEST_F(LinearHeadTest, CountsThePromptApartFromTheDrafts) {
  const auto reward = make_linear_head(write(head_), policy_);
  SessionPool pool(session_of());
  const auto scorer = reward->open(prompt_, pool, {40, 8, 20});
  EXPECT_EQ(scorer->prompt_evaluations() + scorer->evaluations(), 0u);
  const std::vector<Draft> drafts{draft("xyz"), draft("vwq")};
  scorer->score(drafts);
  EXPECT_EQ(scorer->prompt_evaluations(), policy_.encode(prompt_).size());
  EXPECT_EQ(scorer->evaluations(), 6u);
  scorer->score(drafts);
  EXPECT_EQ(scorer->evaluations(), 6u);
}

TEST_F(LinearHeadTest, ReadsOnlyTheSameModelAdapterAndPrompt) {
  const auto reward = make_linear_head(write(head_), policy_);
  SessionPool pool(session_of());
  const auto scorer = reward->open(prompt_, pool, {40, 8, 20});
  const auto reads = [&](const Policy& policy, const Prompt& prompt) {
    const auto session = policy.model().open_session(session_of(64, 4));
    return scorer->reads(Stream(policy, *session, policy.encode(prompt)));
  };
  const auto model = policy_.shared_model();
  EXPECT_TRUE(reads(policy_, prompt_));
  EXPECT_TRUE(reads(Policy(llama::load_model(file_), Format::chat), prompt_));
  EXPECT_FALSE(reads(policy_, make_prompt("a", "The bad")));
  EXPECT_FALSE(reads(Policy(model, Format::chat, {}, "Be kind"), prompt_));
  EXPECT_FALSE(reads(Policy(model, Format::raw), prompt_));
  EXPECT_FALSE(reads(Policy(model, Format::chat, {"lora.gguf", 1.0, "", 1.0}), prompt_));
  EXPECT_FALSE(reads(Policy(tiny_.load({.seed = 2}), Format::chat), prompt_));
  const auto response = make_linear_head(write(random_head(*model, 1, "response")), policy_);
  const auto session = model->open_session(session_of(64, 4));
  EXPECT_FALSE(response->open(prompt_, pool, {40, 8, 20})
                   ->reads(Stream(policy_, *session, policy_.encode(prompt_))));
}

TEST_F(LinearHeadTest, AHiddenStateOfThePolicyCostsNothingAndIsTheSameScore) {
  const auto reward = make_linear_head(write(head_), policy_);
  SessionPool pool(session_of());
  const auto scorer = reward->open(prompt_, pool, {40, 8, 20});
  std::vector<Draft> drafts{draft("Yes")};
  drafts[0].trail.append(testing::evaluate(policy_.model(), tokens("Yes")).hidden);
  EXPECT_NEAR(scorer->score(drafts).at(0), head_value(head_, policy_.model(), tokens("Yes")), 1e-5);
  EXPECT_EQ(scorer->evaluations() + scorer->prompt_evaluations(), 0u);
  drafts.push_back(draft("No"));  // with and without one in a call
  drafts.push_back(drafts[0]);
  const auto mixed = scorer->score(drafts);
  EXPECT_EQ(mixed[0], mixed[2]);
  EXPECT_NEAR(mixed[1], head_value(head_, policy_.model(), tokens("No")), 1e-5);
}

// A mean needs the states of all tokens: one that lacks some is read from the text.
TEST_F(LinearHeadTest, TheStatesOfAllTokensMakeAMeanAndOfFewerDoNot) {
  for (const std::string pooling : {"mean", "last,mean", "max,min"}) {
    const auto reward =
        make_linear_head(write(testing::pooled_head(policy_.model(), pooling)), policy_);
    const double right = score(*reward, {draft("Yes, good")}).at(0);
    const std::size_t prompt = policy_.encode(prompt_).size();
    for (std::size_t missing = 0; missing < 2; ++missing) {
      SessionPool pool(session_of());
      const auto scorer = reward->open(prompt_, pool, {40, 8, 20});
      Tokens text = tokens("Yes, good");
      std::vector<Draft> drafts{draft("Yes, good")};
      for (std::size_t n = prompt; n + missing <= text.size(); ++n) {
        const Tokens beginning(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(n));
        drafts[0].trail.append(testing::evaluate(policy_.model(), beginning).hidden);
      }
      EXPECT_NEAR(scorer->score(drafts).at(0), right, 1e-5) << pooling << missing;
      EXPECT_EQ(scorer->evaluations() > 0, missing > 0);
    }
  }
}

TEST_F(LinearHeadTest, AnotherModelFileIsRefusedUnlessForced) {
  const auto file = write(head_);
  const Policy other(tiny_.load({.seed = 2}), Format::chat);
  expect_error(ErrorKind::model,
               {file.string(), policy_.model().name(), other.model().name(), "force=1"},
               [&] { make_linear_head(file, other); });
  EXPECT_NEAR(score(*make_linear_head(file, other, true), {draft("Yes")}).at(0),
              head_value(head_, other.model(), tokens("Yes")), 1e-5);
}

TEST_F(LinearHeadTest, AnotherQuantisationOfItsModelIsRefusedUnlessForced) {
  const auto path = tiny_ / "quantised.gguf";
  llama::convert_model(file_, path, "q8_0");
  const Policy quantised(llama::load_model(path), Format::chat);
  const auto file = write(head_);
  expect_error(ErrorKind::model, {"another model or quantisation", "quantised.gguf", "force=1"},
               [&] { make_linear_head(file, quantised); });
  const double gap = score(*make_linear_head(file, quantised, true), {draft("Yes")}).at(0) -
                     head_value(head_, policy_.model(), tokens("Yes"));
  EXPECT_NE(gap, 0.0);
  EXPECT_LT(std::abs(gap), 1.0);
}

TEST_F(LinearHeadTest, AnotherWidthIsRefusedEvenWhenForced) {
  const Policy wide(tiny_.load({.embedding = 64}), Format::chat);
  for (const bool force : {false, true}) {
    expect_error(ErrorKind::model, {"reads 32 hidden values", "has 64"},
                 [&] { make_linear_head(write(head_), wide, force); });
  }
}

TEST_F(LinearHeadTest, UnknownPoolingAndTextAreRefused) {
  HeadFile head = head_;
  head.pooling = "median";
  expect_error(ErrorKind::model, {"'median'"}, [&] { make_linear_head(write(head), policy_); });
  head = testing::pooled_head(policy_.model(), "last,mean");
  head.weights.pop_back();
  expect_error(ErrorKind::model, {"63 weights for 2 poolings"},
               [&] { make_linear_head(write(head), policy_); });
  head = random_head(policy_.model(), 1, "prompt");
  expect_error(ErrorKind::model, {"'prompt'"}, [&] { make_linear_head(write(head), policy_); });
}

TEST(HeadPoolingTest, IsNamedByItsPartsInOneOrder) {
  for (const std::string name :
       {"last", "end", "mean", "max", "min", "last,mean", "mean,min", "last,mean,max,min"}) {
    const std::optional<HeadPooling> pooling = head_pooling(name);
    ASSERT_TRUE(pooling) << name;
    EXPECT_EQ(fmt::format("{}", fmt::join(pooling->names(), ",")), name);
    EXPECT_EQ(pooling->whole(), name != "last" && name != "end");
  }
  for (const char* name : {"", ",", "last,", ",last", "mean,last", "last,last", "end,mean",
                           "last,end", "median", "last mean", "lastmean"}) {
    EXPECT_FALSE(head_pooling(name)) << name;
  }
}

TEST_F(LinearHeadTest, TheFingerprintFollowsWeightsBiasTextAndBase) {
  const auto print = [&](const HeadFile& head) {
    return make_linear_head(write(head), policy_, true)->info().fingerprint;
  };
  HeadFile bias = head_, text = head_, named = head_;
  bias.bias += 1;
  text.text = "response";
  named.provenance = "elsewhere";
  EXPECT_EQ(print(head_), print(named));
  EXPECT_NE(print(head_), print(bias));
  EXPECT_NE(print(head_), print(text));
  EXPECT_NE(print(head_), print(random_head(policy_.model(), 2)));
  const Policy other(tiny_.load({.seed = 2}), Format::chat);
  EXPECT_NE(print(head_), make_linear_head(write(head_), other, true)->info().fingerprint);
}

}  // namespace
}  // namespace tq
