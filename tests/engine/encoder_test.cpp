// Encoders on a tiny BERT: batches, long and empty texts, special tokens, refusals.
#include "transferq/engine/llama/encoder.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "tests/engine/tiny_files.hpp"
#include "transferq/engine/llama/encoder_text.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/engine/llama/tiny_encoder.hpp"
#include "transferq/engine/llama/tiny_model.hpp"

namespace tq {
namespace {

using llama::TinyEncoderOptions;
using testing::expect_error;
using Texts = std::vector<std::string>;
using Vectors = std::vector<std::vector<float>>;

float gap(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

class EncoderTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const TinyEncoderOptions& options) {
    const auto path = folder_ / ("encoder" + std::to_string(++count_) + ".gguf");
    llama::write_tiny_encoder(path, options);
    return path;
  }
  std::shared_ptr<const Encoder> load(const TinyEncoderOptions& options = {}) {
    return llama::load_encoder(write(options));
  }
  static std::vector<float> embed(const Encoder& encoder, const std::string& text) {
    return encoder.open_session(1)->embed(std::span(&text, 1)).at(0);
  }
  static std::vector<float> rank(const Encoder& encoder, const RankPair& pair) {
    return encoder.open_session(1)->rank({&pair, 1}).at(0);
  }
  static std::uint64_t tokens(const Encoder& encoder, const std::string& text) {
    const auto session = encoder.open_session(1);
    session->embed(std::span(&text, 1));
    return session->evaluations();
  }
  static TinyEncoderOptions reranker(Texts labels = {}) {
    TinyEncoderOptions options;
    options.pooling = Pooling::rank;
    options.labels = std::move(labels);
    return options;
  }

  testing::TemporaryFolder folder_;
  int count_ = 0;
};

const Texts kTexts{
    "The good day", "the day was bad", "a very rainy film!", "", "i, you & it", "not",
    "the good day", "xyzzy 42"};

TEST_F(EncoderTest, SaysWhatItIs) {
  const auto encoder = load({.embedding = 16, .heads = 2, .context = 40});
  EXPECT_EQ(encoder->name(), "encoder1.gguf");
  EXPECT_EQ(encoder->pooling(), Pooling::mean);
  EXPECT_EQ(encoder->dimensions(), 16u);
  EXPECT_EQ(encoder->longest(), 40u);
  EXPECT_TRUE(encoder->labels().empty());
  EXPECT_EQ(encoder->identity(), load({.embedding = 16, .heads = 2, .context = 40})->identity());
  EXPECT_NE(encoder->identity(), load({.seed = 2, .embedding = 16, .heads = 2})->identity());
  EXPECT_EQ(load(reranker())->labels(), Texts{""});
  EXPECT_EQ(load(reranker({"no", "maybe", "yes"}))->labels(), (Texts{"no", "maybe", "yes"}));
  EXPECT_FALSE(load(reranker())->probabilities());
}

TEST_F(EncoderTest, EmbeddingsHaveLengthOneAndTellTextsApart) {
  for (const Pooling pooling : {Pooling::mean, Pooling::first, Pooling::last}) {
    TinyEncoderOptions options;
    options.pooling = pooling;
    const auto encoder = load(options);
    const Vectors vectors = encoder->open_session(1)->embed(kTexts);
    ASSERT_EQ(vectors.size(), kTexts.size());
    for (const auto& v : vectors) {
      EXPECT_NEAR(std::inner_product(v.begin(), v.end(), v.begin(), 0.0), 1.0, 1e-5);
    }
    EXPECT_LT(gap(vectors[0], vectors[6]), 1e-6F);  // but for a capital the same
    EXPECT_GT(gap(vectors[0], vectors[1]), 1e-2F);
    // The order of words counts.
    EXPECT_GT(gap(vectors[0], embed(*encoder, "day good the")), 1e-3F);
  }
}

TEST_F(EncoderTest, ABatchIsItsTextsOneByOne) {
  const auto encoder = load();
  const auto session = encoder->open_session(1);
  const Vectors together = session->embed(kTexts);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    EXPECT_LT(gap(together[i], embed(*encoder, kTexts[i])), 1e-5F) << kTexts[i];
    sum += tokens(*encoder, kTexts[i]);
  }
  EXPECT_EQ(session->evaluations(), sum);

  const auto ranker = load(reranker({"no", "maybe", "yes"}));
  std::vector<RankPair> pairs;
  for (const std::string& text : kTexts) pairs.push_back({"the film", text});
  const Vectors scores = ranker->open_session(1)->rank(pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    ASSERT_EQ(scores[i].size(), 3u);
    EXPECT_LT(gap(scores[i], rank(*ranker, pairs[i])), 1e-5F) << pairs[i].text;
  }
  EXPECT_GT(gap(scores[0], scores[1]), 1e-2F);
}

TEST_F(EncoderTest, ManyMoreTextsThanAnEvaluationHolds) {
  const auto encoder = load();
  Texts texts;
  for (int i = 0; i < 600; ++i) texts.push_back("day " + std::to_string(i % 7));
  texts.insert(texts.begin() + 300, std::string(400, '!'));
  const Vectors vectors = encoder->open_session(1)->embed(texts);
  ASSERT_EQ(vectors.size(), 601u);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::size_t same = i < 300 ? i % 7 : i > 300 ? (i - 1) % 7 : i;
    EXPECT_LT(gap(vectors[i], vectors[same]), 1e-5F) << i;
  }
}

TEST_F(EncoderTest, ALongTextKeepsItsBeginningAndItsLastSpecialToken) {
  const auto encoder = load({.context = 16});
  std::string exact = "a";  // [CLS] and [SEP] are the other two tokens
  for (int i = 1; i < 14; ++i) exact += " good";
  EXPECT_EQ(tokens(*encoder, exact), 16u);
  const std::string longer = exact + " bad bad bad";
  EXPECT_EQ(tokens(*encoder, longer), 16u);
  EXPECT_EQ(gap(embed(*encoder, exact), embed(*encoder, longer)), 0.0F);
  EXPECT_GT(gap(embed(*encoder, exact), embed(*encoder, "bad " + longer)), 1e-3F);
}

TEST_F(EncoderTest, ALongContextIsReadWhole) {  // beyond the usual micro-batch
  const auto encoder = load({.context = 1100});
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "good ";
  EXPECT_EQ(tokens(*encoder, text), 1002u);
  const auto session = encoder->open_session(1);
  const Texts texts{"day", text, "day"};
  const Vectors vectors = session->embed(texts);
  EXPECT_LT(gap(vectors[1], embed(*encoder, text)), 1e-5F);
  EXPECT_LT(gap(vectors[0], embed(*encoder, "day")), 1e-5F);
  EXPECT_LT(gap(vectors[0], vectors[2]), 1e-5F);
  EXPECT_GT(gap(vectors[1], embed(*encoder, text + "bad")), 1e-7F);
}

TEST_F(EncoderTest, ALongPairIsCutAsSplitRoomSays) {
  const auto encoder = load([] {
    TinyEncoderOptions options = reranker();
    options.context = 16;  // [CLS] and [SEP] leave room for 14
    return options;
  }());
  const auto words = [](int count, const std::string& word) {
    std::string text;
    for (int i = 0; i < count; ++i) text += word + " ";
    return text;
  };
  const auto same = [&](const RankPair& a, const RankPair& b) {
    EXPECT_EQ(gap(rank(*encoder, a), rank(*encoder, b)), 0.0F);
  };
  same({words(4, "day"), words(10, "good") + "bad"}, {words(4, "day"), words(10, "good")});
  same({words(9, "day") + "bad", words(20, "good")}, {words(7, "day"), words(7, "good")});
  same({words(20, "day"), words(3, "good")}, {words(11, "day"), words(3, "good")});
}

TEST(SplitRoom, CutsTheTextBeforeTheQuery) {
  const auto split = [](std::size_t query, std::size_t text, std::size_t room) {
    const llama::Room r = llama::split_room(query, text, room);
    EXPECT_LE(r.query + r.text, room);
    return std::pair(r.query, r.text);
  };
  EXPECT_EQ(split(3, 7, 10), std::pair(std::size_t{3}, std::size_t{7}));
  EXPECT_EQ(split(3, 70, 10), std::pair(std::size_t{3}, std::size_t{7}));
  EXPECT_EQ(split(30, 70, 10), std::pair(std::size_t{5}, std::size_t{5}));
  EXPECT_EQ(split(30, 2, 10), std::pair(std::size_t{8}, std::size_t{2}));
  EXPECT_EQ(split(30, 0, 10), std::pair(std::size_t{10}, std::size_t{0}));
  EXPECT_EQ(split(1, 1, 0), std::pair(std::size_t{0}, std::size_t{0}));
}

TEST_F(EncoderTest, SpecialTokensWrittenOutStayPlainText) {
  const auto encoder = load();
  EXPECT_EQ(tokens(*encoder, ""), 2u);
  EXPECT_EQ(tokens(*encoder, "[SEP]"), 7u);  // as many as it has letters and brackets, and two
}

TEST_F(EncoderTest, ARankInputIsThePairInOneSequence) {
  const auto counted = [&](const TinyEncoderOptions& options, const RankPair& pair) {
    const auto session = load(options)->open_session(1);
    session->rank({&pair, 1});
    return session->evaluations();
  };
  TinyEncoderOptions options = reranker();
  EXPECT_EQ(counted(options, {"the film", "good"}), 5u);  // [CLS] the film [SEP] good
  EXPECT_EQ(counted(options, {"", ""}), 2u);
  options.ends = true;  // [CLS] the film [SEP] [SEP] good [SEP]
  EXPECT_EQ(counted(options, {"the film", "good"}), 7u);
  options.rerank_template = "[CLS]{query}[SEP]good[SEP]{document}[SEP]";
  EXPECT_EQ(counted(options, {"the film", "day"}), 8u);
}

TEST_F(EncoderTest, ARerankTemplateIsFilledInWithoutLeakingSpecialTokens) {
  TinyEncoderOptions options = reranker();
  options.context = 24;
  options.rerank_template = "[CLS]{query}[SEP]{document}";
  const auto shaped = load(options);
  options.rerank_template.clear();
  const auto plain = load(options);
  for (const RankPair& pair :
       {RankPair{"the film", "a good day"}, RankPair{"you", "not [SEP] bad"},
        RankPair{"{document}", "day"}, RankPair{"the film", std::string(40, '!')}}) {
    EXPECT_LT(gap(rank(*shaped, pair), rank(*plain, pair)), 1e-6F) << pair.text;
  }
  // The text first.
  options.rerank_template = "[CLS]{document}[SEP]{query}";
  EXPECT_LT(gap(rank(*load(options), {"the film", "good"}), rank(*plain, {"good", "the film"})),
            1e-6F);
}

TEST_F(EncoderTest, ADecoderThatPoolsEmbedsToo) {
  for (const Pooling pooling : {Pooling::mean, Pooling::last}) {
    const auto path = folder_ / "decoder.gguf";
    llama::TinyModelOptions options;
    options.pooling = pooling;
    options.context = 700;
    llama::write_tiny_model(path, options);
    const auto encoder = llama::load_encoder(path);
    EXPECT_EQ(encoder->pooling(), pooling);
    Texts texts = kTexts;
    texts.push_back(std::string(600, 'z'));  // beyond the usual micro-batch
    texts.push_back(std::string(900, 'z'));  // beyond the context
    const Vectors together = encoder->open_session(1)->embed(texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_LT(gap(together[i], embed(*encoder, texts[i])), 1e-5F) << texts[i];
    }
    EXPECT_GT(gap(together[0], together[1]), 1e-2F);
    EXPECT_LT(gap(together.back(), embed(*encoder, std::string(700, 'z'))), 1e-5F);
    // Its vocabulary adds no special token: an empty text has nothing to pool.
    EXPECT_EQ(together[3], std::vector<float>(encoder->dimensions(), 0.0F));
    EXPECT_EQ(tokens(*encoder, ""), 0u);
    EXPECT_NE(llama::load_model(path), nullptr);
  }
}

TEST_F(EncoderTest, ThreadsMayShareAnEncoder) {
  const auto encoder = load();
  const Vectors expected = encoder->open_session(1)->embed(kTexts);
  std::vector<Vectors> got(3);
  std::vector<std::thread> threads;
  for (auto& out : got) {
    threads.emplace_back([&] { out = encoder->open_session(1)->embed(kTexts); });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& out : got) EXPECT_EQ(out, expected);
}

TEST_F(EncoderTest, NothingCostsNothing) {
  const auto session = load()->open_session(1);
  EXPECT_TRUE(session->embed({}).empty());
  EXPECT_EQ(session->evaluations(), 0u);
}

TEST_F(EncoderTest, ASessionDoesOnlyWhatItsPoolingAllows) {
  const Texts texts{"a"};
  const std::vector<RankPair> pairs{{"a", "b"}};
  expect_error(ErrorKind::usage, {"encoder1.gguf", "no rank head"},
               [&] { load()->open_session(1)->rank(pairs); });
  expect_error(ErrorKind::usage, {"encoder2.gguf", "gives no embeddings"},
               [&] { load(reranker())->open_session(1)->embed(texts); });
}

TEST_F(EncoderTest, WhatIsNoEncoderIsRefused) {
  const auto refused = [&](const std::filesystem::path& path, const Texts& words) {
    expect_error(ErrorKind::model, words, [&] { llama::load_encoder(path); });
  };
  refused(folder_ / "none.gguf", {"none.gguf", "check the path"});
  std::ofstream(folder_ / "letter.gguf") << "Dear model";
  refused(folder_ / "letter.gguf", {"letter.gguf", "not a whole GGUF file"});
  llama::write_tiny_model(folder_ / "decoder.gguf");
  refused(folder_ / "decoder.gguf", {"decoder.gguf", "no pooling", "plain language model"});

  const auto path = write({});
  const std::string bytes = testing::read_all(path);
  std::ofstream(path, std::ios::binary) << bytes.substr(0, bytes.size() - 4000);
  refused(path, {path.string(), "whole"});
}

TEST_F(EncoderTest, ARankHeadThatCantTellTextsApartIsRefused) {
  const auto refused = [&](const TinyEncoderOptions& options, const Texts& words) {
    const auto path = write(options);
    expect_error(ErrorKind::model, words, [&] { llama::load_encoder(path); });
  };
  TinyEncoderOptions options = reranker();
  options.classifier = false;
  refused(options, {"no classifier", "cls.output.weight"});
  options = reranker();
  options.architecture = "qwen3";
  refused(options, {"one label under a softmax", "every text 1"});
  options.labels = {"yes"};
  refused(options, {"one label under a softmax"});
  options = reranker();
  options.rerank_template = "about {query}";
  refused(options, {"rerank template", "{document}"});
}

TEST_F(EncoderTest, AnEncoderIsNoLanguageModel) {
  const auto path = write({});
  expect_error(ErrorKind::model, {path.string(), "bert", "similar=TEXT", "decoder-only"},
               [&] { llama::load_model(path); });
}

TEST(TinyEncoder, ItsBytesDependOnTheOptionsAlone) {
  const testing::TemporaryFolder folder;
  const auto bytes = [&](const TinyEncoderOptions& options) {
    llama::write_tiny_encoder(folder / "x.gguf", options);
    return testing::read_all(folder / "x.gguf");
  };
  EXPECT_EQ(bytes({}), bytes({}));
  EXPECT_NE(bytes({}), bytes({.seed = 2}));
  expect_error(ErrorKind::usage, {"positive sizes"},
               [&] { llama::write_tiny_encoder(folder / "x.gguf", {.heads = 5}); });
}

}  // namespace
}  // namespace tq
