// rank= and similar= on a tiny BERT.
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <thread>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/engine/llama/encoder.hpp"
#include "transferq/engine/llama/tiny_encoder.hpp"
#include "transferq/reward/rank_head.hpp"
#include "transferq/reward/reward_list.hpp"
#include "transferq/reward/similarity.hpp"

namespace tq {
namespace {

using llama::TinyEncoderOptions;
using testing::expect_error;
using Texts = std::vector<std::string>;

Draft draft(std::string text) { return {std::move(text), {}, {}, false}; }

std::vector<Draft> drafts_of(const Texts& texts) {
  std::vector<Draft> drafts;
  for (const std::string& text : texts) drafts.push_back(draft(text));
  return drafts;
}

const Texts kTexts{"a good day", "not a good day", "", "rainy!", "the film was very bad"};

class EncoderRewardTest : public ::testing::Test {
 protected:
  EncoderRewardTest() {
    TinyEncoderOptions options;
    llama::write_tiny_encoder(embedder_, options);
    options.pooling = Pooling::rank;
    llama::write_tiny_encoder(ranker_, options);
    options.labels = {"no", "maybe", "yes"};
    llama::write_tiny_encoder(labelled_, options);
  }

  std::unique_ptr<Reward> read(const std::string& list) {
    return make_reward(list, store_, model_, Format::raw);
  }
  std::unique_ptr<Scorer> open(const Reward& reward) {
    return reward.open(prompt_, pool_, {10, 2, 2});
  }
  std::vector<double> score(const Reward& reward, const Texts& texts) {
    return open(reward)->score(drafts_of(texts));
  }
  double score(const std::string& list, const std::string& text) {
    return score(*read(list), {text}).at(0);
  }
  std::vector<float> ranked(const std::filesystem::path& file, const RankPair& pair) {
    return store_.encoder(file.string())->open_session(1)->rank({&pair, 1}).at(0);
  }
  double cosine(const std::string& a, const std::string& b) {
    const Texts texts{a, b};
    const auto v = store_.encoder(embedder_.string())->open_session(1)->embed(texts);
    return std::inner_product(v[0].begin(), v[0].end(), v[1].begin(), 0.0);
  }
  std::string similar(const std::string& text, const std::string& more = "") {
    return "similar=" + text + ",model=" + embedder_.string() + more;
  }

  testing::TinyModels tiny_;
  const std::filesystem::path embedder_ = tiny_ / "embedder.gguf";
  const std::filesystem::path ranker_ = tiny_ / "ranker.gguf";
  const std::filesystem::path labelled_ = tiny_ / "labelled.gguf";
  ModelStore store_;
  const std::shared_ptr<const Model> model_ = store_.model(tiny_.file().string());
  SessionPool pool_{testing::session_of()};
  const Prompt prompt_{
      "a",
      {{"system", "be kind"}, {"user", "what film"}, {"assistant", "it"}, {"user", "was it good"}}};
};

TEST_F(EncoderRewardTest, ARankIsThatOfTheLastUserMessageAndTheResponse) {
  const auto scores = score(*read("rank=" + ranker_.string()), kTexts);
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    EXPECT_NEAR(scores[i], ranked(ranker_, {"was it good", kTexts[i]}).at(0), 1e-5) << kTexts[i];
  }
}

TEST_F(EncoderRewardTest, ALabelIsChosenByNameOrNumber) {
  const auto all = ranked(labelled_, {"was it good", "very"});
  const std::string list = "rank=" + labelled_.string() + ",label=";
  EXPECT_NEAR(score(list + "no", "very"), all[0], 1e-5);
  EXPECT_NEAR(score(list + "yes", "very"), all[2], 1e-5);
  EXPECT_NEAR(score(list + "1", "very"), all[1], 1e-5);
  EXPECT_GT(std::abs(all[0] - all[2]), 1e-3);
  EXPECT_EQ(score("rank=" + ranker_.string() + ",label=0", "very"),
            score("rank=" + ranker_.string(), "very"));
}

TEST_F(EncoderRewardTest, ALabelThatIsMissingOrUnknownIsAskedFor) {
  const std::string list = "rank=" + labelled_.string();
  expect_error(ErrorKind::usage, {"labelled.gguf", "3 labels", "label=NAME", "0 (no)", "2 (yes)"},
               [&] { read(list); });
  for (const std::string label : {"perhaps", "3", "-1", "1.5", "yes "}) {
    expect_error(ErrorKind::usage, {"no label '" + label + "'", "1 (maybe)"},
                 [&] { read(list + ",label=" + label); });
  }
  expect_error(ErrorKind::usage, {"no label 'yes'"},
               [&] { read("rank=" + ranker_.string() + ",label=yes"); });
}

TEST_F(EncoderRewardTest, SimilarityIsTheMeanOrLargestCosine) {
  std::ofstream(tiny_ / "texts.txt") << "a good day\r\n\n   \nthe film was bad\n";
  const std::string file = "@" + (tiny_ / "texts.txt").string();
  for (const std::string& text : kTexts) {
    const double one = cosine(text, "a good day"), other = cosine(text, "the film was bad");
    EXPECT_NEAR(score(similar("a good day"), text), one, 1e-5) << text;
    EXPECT_NEAR(score(similar(file), text), (one + other) / 2, 1e-5) << text;
    EXPECT_NEAR(score(similar(file, ",pick=max"), text), std::max(one, other), 1e-5) << text;
  }
  EXPECT_NEAR(score(similar("a good day"), "A GOOD DAY"), 1, 1e-6);
  EXPECT_LE(score(similar("a good day"), "a good day"), 1);
}

TEST_F(EncoderRewardTest, ABatchIsItsTextsOneByOne) {
  for (const std::string& list : {similar("a good day"), "rank=" + ranker_.string()}) {
    const auto reward = read(list);
    const auto together = score(*reward, kTexts);
    const auto scorer = open(*reward);
    for (std::size_t i = 0; i < kTexts.size(); ++i) {
      const std::vector<Draft> one{draft(kTexts[i])};
      EXPECT_NEAR(scorer->score(one).at(0), together[i], 1e-5) << kTexts[i];
    }
  }
}

TEST_F(EncoderRewardTest, CountsWhatItEvaluatesAndATextButOnce) {
  const auto reward = read(similar("a good day"));
  const auto scorer = open(*reward);
  EXPECT_EQ(scorer->evaluations(), 0u);  // the given text is embedded with the reward
  const auto scores = scorer->score(drafts_of({"rainy day", "film", "rainy day"}));
  EXPECT_EQ(scores[0], scores[2]);
  EXPECT_EQ(scorer->evaluations(), 4u + 3u);  // with [CLS] and [SEP]
  const auto again = scorer->score(drafts_of({"film", "rainy day", ""}));
  EXPECT_EQ(again[1], scores[0]);
  EXPECT_EQ(again[0], scores[1]);
  EXPECT_EQ(scorer->evaluations(), 4u + 3u + 2u);
  EXPECT_EQ(scorer->prompt_evaluations(), 0u);
  ASSERT_EQ(scorer->costs().size(), 1u);
  EXPECT_EQ(scorer->costs()[0].model, "embedder.gguf");

  const auto rank = read("rank=" + ranker_.string());
  const auto ranker = open(*rank);
  ranker->score(drafts_of({"very good", "very good"}));
  EXPECT_EQ(ranker->evaluations(), 7u);  // [CLS] was it good [SEP] very good
  EXPECT_EQ(ranker->costs().at(0).model, "ranker.gguf");
  EXPECT_TRUE(ranker->score({}).empty());
}

TEST_F(EncoderRewardTest, AnEmptyTextWithoutATokenIsLikeNothing) {
  llama::TinyModelOptions options;
  options.pooling = Pooling::last;
  const std::string list = "similar=good,model=" + tiny_.file(options).string();
  EXPECT_EQ(score(list, ""), 0.0);
  EXPECT_NEAR(score(list, "good"), 1.0, 1e-6);
}

TEST_F(EncoderRewardTest, SaysItsScale) {
  EXPECT_TRUE(read(similar("x"))->info().range.bounded());
  EXPECT_FALSE(read("rank=" + ranker_.string())->info().range.bounded());
  EXPECT_TRUE(read(similar("x"))->info().partial);
  EXPECT_EQ(read("rank=" + labelled_.string() + ",label=yes")->info().name,
            "rank=labelled.gguf,label=2");
}

TEST_F(EncoderRewardTest, TheFingerprintFollowsModelTextsAndChoice) {
  std::ofstream(tiny_ / "ab.txt") << "a b\nc\n";
  std::ofstream(tiny_ / "abc.txt") << "a\nb c\n";
  TinyEncoderOptions options;
  options.seed = 2;
  llama::write_tiny_encoder(tiny_ / "other.gguf", options);
  const std::string other = (tiny_ / "other.gguf").string();
  const std::string ab = "@" + (tiny_ / "ab.txt").string(),
                    abc = "@" + (tiny_ / "abc.txt").string();
  const std::string labelled = "rank=" + labelled_.string() + ",label=";
  const Texts lists{similar("a"),
                    similar("b"),
                    similar(ab),
                    similar(abc),
                    similar(ab, ",pick=max"),
                    "similar=a,model=" + other,
                    "rank=" + ranker_.string(),
                    labelled + "yes",
                    labelled + "no"};
  std::set<std::string> prints;
  for (const std::string& list : lists) {
    prints.insert(read(list)->info().fingerprint);
    EXPECT_EQ(read(list)->info().fingerprint, read(list)->info().fingerprint);
  }
  EXPECT_EQ(prints.size(), lists.size());
  EXPECT_EQ(read(labelled + "2")->info().fingerprint, read(labelled + "yes")->info().fingerprint);
}

TEST_F(EncoderRewardTest, TheWrongKindOfModelIsRefused) {
  expect_error(ErrorKind::model, {"embedder.gguf", "no rank head", "similar="},
               [&] { read("rank=" + embedder_.string()); });
  expect_error(ErrorKind::model, {"ranker.gguf", "rank head", "rank=FILE"},
               [&] { read("similar=x,model=" + ranker_.string()); });
  expect_error(ErrorKind::model, {"no pooling", "plain language model"},
               [&] { read("rank=" + tiny_.file().string()); });
  expect_error(ErrorKind::model, {"no pooling"},
               [&] { read("similar=x,model=" + tiny_.file().string()); });
  expect_error(ErrorKind::model, {"none.gguf"}, [&] { read("rank=none.gguf"); });
}

TEST_F(EncoderRewardTest, ABadListIsNamed) {
  std::ofstream(tiny_ / "blank.txt") << "\n  \r\n";
  for (const std::string& text :
       {std::string(), std::string("  "), "@" + (tiny_ / "blank.txt").string()}) {
    expect_error(ErrorKind::usage, {"similar=", "similar=@FILE"}, [&] { read(similar(text)); });
  }
  expect_error(ErrorKind::io, {"/no/such"}, [&] { read(similar("@/no/such")); });
  expect_error(ErrorKind::usage, {"pick=min"}, [&] { read(similar("x", ",pick=min")); });
  expect_error(ErrorKind::usage, {"does not take 'model'"},
               [&] { read("rank=" + ranker_.string() + ",model=x"); });
}

TEST_F(EncoderRewardTest, APromptWithoutAUserMessageIsNamed) {
  const auto reward = read("rank=" + ranker_.string());
  expect_error(ErrorKind::input, {"'p7'", "no user message"}, [&] {
    reward->open({"p7", {{"system", "x"}}}, pool_, {10, 2, 2});
  });
}

TEST_F(EncoderRewardTest, TheDefaultEmbeddingModelIsMinilm) {
  ::setenv("TQ_MODELS_DIR", tiny_.operator/("models").c_str(), 1);
  expect_error(ErrorKind::model, {"minilm", "scripts/models/get minilm"},
               [&] { read("similar=x"); });
  std::filesystem::create_directory(tiny_ / "models");
  std::filesystem::copy(embedder_, tiny_ / "models" / "all-MiniLM-L6-v2.F16.gguf");
  EXPECT_EQ(score("similar=a good day", "rainy"), score(similar("a good day"), "rainy"));
  ::unsetenv("TQ_MODELS_DIR");
}

TEST_F(EncoderRewardTest, ThreadsShareAReward) {
  const auto reward = read(similar("a good day"));
  const auto expected = score(*reward, kTexts);
  std::vector<std::vector<double>> got(4);
  std::vector<std::thread> threads;
  for (auto& out : got) {
    threads.emplace_back([&] {
      SessionPool pool(testing::session_of());
      for (int i = 0; i < 3; ++i) {
        out = reward->open(prompt_, pool, {10, 2, 2})->score(drafts_of(kTexts));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& out : got) EXPECT_EQ(out, expected);
}

}  // namespace
}  // namespace tq
