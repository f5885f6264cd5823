#include "transferq/engine/llama/tiny_model.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/engine/tiny_files.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/core/random.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/engine/llama/model.hpp"

namespace tq::llama {
namespace {

using testing::distance;
using testing::expect_error;
using testing::logits_after;
using testing::read_all;

class TinyModel : public ::testing::Test {
 protected:
  std::shared_ptr<const Model> make(const TinyModelOptions& options = {}) {
    const auto path = folder_ / (std::to_string(++count_) + ".gguf");
    write_tiny_model(path, options);
    return load_model(path);
  }
  testing::TemporaryFolder folder_;
  int count_ = 0;
};

TEST_F(TinyModel, IsWhatTheOptionsSay) {
  TinyModelOptions options;
  options.embedding = 48;
  options.heads = 6;
  options.layers = 3;
  options.feed_forward = 96;
  options.context = 512;
  const auto model = make(options);
  EXPECT_EQ(model->hidden_size(), 48u);
  EXPECT_EQ(model->context(), 512u);
  EXPECT_GT(model->vocabulary(), 259u);
  EXPECT_TRUE(model->is_end(0));
  EXPECT_FALSE(model->is_end(1));
  EXPECT_TRUE(model->is_end(2));
  EXPECT_FALSE(model->is_end(3));
}

TEST_F(TinyModel, FilesDependOnTheOptionsAlone) {
  write_tiny_model(folder_ / "a", {.seed = 7});
  write_tiny_model(folder_ / "b", {.seed = 7});
  write_tiny_model(folder_ / "c", {.seed = 8});
  EXPECT_EQ(read_all(folder_ / "a"), read_all(folder_ / "b"));
  EXPECT_NE(read_all(folder_ / "a"), read_all(folder_ / "c"));
  EXPECT_LT(std::filesystem::file_size(folder_ / "a"), 256u << 10);
}

// A new digest is right when the format of the tiny model was changed on purpose, and only then.
TEST_F(TinyModel, FilesAreTheSameOnEveryMachine) {
  write_tiny_model(folder_ / "a", {});
  EXPECT_EQ(sha256_file(folder_ / "a"),
            "dcb64c0d23ec1d368a95f7b7fd02f931382e5405a87e5ebb2bff7be84bfc9e27");
}

TEST_F(TinyModel, LogitsAreFiniteAndComeFromTheSeed) {
  const auto one = logits_after(*make({.seed = 1}), "The good");
  for (const double logit : one) ASSERT_TRUE(std::isfinite(logit));
  EXPECT_EQ(one, logits_after(*make({.seed = 1}), "The good"));
  EXPECT_GT(distance(one, logits_after(*make({.seed = 2}), "The good")), 1.0);
}

TEST_F(TinyModel, NextTokenDistributionsAreUsable) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const auto model = make({.seed = seed});
    const double uniform = std::log(static_cast<double>(model->vocabulary()));
    double mean = 0;
    constexpr int kTexts = 20;
    for (int i = 0; i < kTexts; ++i) {
      const auto p = softmax(logits_after(*model, "Text " + std::to_string(i * 37) + " is"));
      double entropy = 0;
      for (const double q : p) entropy -= q > 0 ? q * std::log(q) : 0;
      mean += entropy / kTexts;
      EXPECT_LT(p[argmax(p)], 0.97);
    }
    EXPECT_GT(mean, 1.5);
    EXPECT_LT(mean, uniform - 1.0);
  }
}

TEST_F(TinyModel, TemperatureDividesTheLogits) {
  const auto sharp = logits_after(*make({.seed = 3}), "Hello");
  const auto flat = logits_after(*make({.seed = 3, .temperature = 4.0}), "Hello");
  for (std::size_t i = 0; i < sharp.size(); ++i) EXPECT_NEAR(sharp[i], 4 * flat[i], 1e-3);
}

TEST_F(TinyModel, TheWholePrefixMatters) {
  const auto model = make();
  EXPECT_GT(distance(logits_after(*model, "a fine day"), logits_after(*model, "A fine day")), 0.05);
  EXPECT_GT(distance(logits_after(*model, "ab fine"), logits_after(*model, "ba fine")), 0.05);
}

TEST_F(TinyModel, TextsSurviveTokenisation) {
  const auto model = make();
  std::vector<std::string> texts = {"",
                                    " ",
                                    "  two  spaces\n\n\ttab\r\n",
                                    "it's 42, isn't it ?  !!",
                                    "caf\xC3\xA9 na\xC3\xAFve \xE4\xB8\xAD\xE6\x96\x87",
                                    "\xF0\x9F\x98\x80\xE2\x80\x8D\xF0\x9F\x94\xA5 e\xCC\x81",
                                    std::string("\x01\x02\x7F", 3),
                                    "the good and the bad",
                                    "<|im_start|> as plain text"};
  // And random ones: characters of one to four bytes.
  for (std::uint32_t i = 0; i < 200; ++i) {
    std::string text;
    for (std::uint32_t j = 0; j < 12; ++j) {
      const auto r = philox({i, j, 0, 0}, {1, 2});
      const std::uint32_t top[] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
      std::uint32_t c = 1 + r[0] % top[r[1] % 4];
      if (c >= 0xD800 && c <= 0xDFFF) c = 0xE000;
      const auto byte = [&](std::uint32_t b) { text += static_cast<char>(b); };
      if (c < 0x80) {
        byte(c);
      } else if (c < 0x800) {
        byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F));
      } else if (c < 0x10000) {
        byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F));
      } else {
        byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F));
        byte(0x80 | (c & 0x3F));
      }
    }
    texts.push_back(text);
  }
  for (const std::string& text : texts) {
    EXPECT_EQ(model->text(model->tokenize(text, false), false), text);
  }
}

TEST_F(TinyModel, EveryByteIsAToken) {
  const auto model = make();
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(model->piece(3 + byte, false), std::string(1, static_cast<char>(byte)));
  }
}

TEST_F(TinyModel, MergesMakeRetokenisationDiffer) {
  const auto model = make();
  const std::vector<Token> generated = {3 + 't', 3 + 'h', 3 + 'e'};
  const auto again = model->tokenize(model->text(generated, false), false);
  EXPECT_EQ(again.size(), 1u);
  EXPECT_EQ(model->text(again, false), "the");
  EXPECT_EQ(model->tokenize(" good", false).size(), 1u);
  EXPECT_EQ(model->tokenize("\xC3\xA9", false).size(), 1u);
}

TEST_F(TinyModel, SpecialTokensAreParsedOnRequestOnly) {
  const auto model = make();
  EXPECT_EQ(model->tokenize("<|im_start|>a<|im_end|>", true), (std::vector<Token>{1, 3 + 'a', 2}));
  EXPECT_GT(model->tokenize("<|im_end|>", false).size(), 5u);
  EXPECT_EQ(model->piece(2, false), "");
  EXPECT_EQ(model->piece(2, true), "<|im_end|>");
}

TEST_F(TinyModel, ChatTemplateIsOptional) {
  const std::vector<Message> chat = {{"system", "Be kind"}, {"user", "Hi"}};
  EXPECT_EQ(make()->apply_chat_template(chat),
            "<|im_start|>system\nBe kind<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\n");
  const auto without = make({.chat_template = false});
  expect_error(ErrorKind::model, {"template"}, [&] { (void)without->apply_chat_template(chat); });
}

TEST_F(TinyModel, LoraChangesTheLogits) {
  const auto model = make();
  const auto with = [&](const TinyAdapterOptions& options, double scale = 1.0) {
    Adapter adapter;
    adapter.lora = (folder_ / ("lora" + std::to_string(++count_))).string();
    adapter.lora_scale = scale;
    write_tiny_lora(adapter.lora, {}, options);
    return logits_after(*model, "Hello there", adapter);
  };
  const auto plain = logits_after(*model, "Hello there");
  const auto one = with({.seed = 1});
  EXPECT_GT(distance(plain, one), 0.5);
  EXPECT_EQ(one, with({.seed = 1}));
  EXPECT_GT(distance(one, with({.seed = 2})), 0.5);
  EXPECT_GT(distance(plain, with({.seed = 1, .rank = 1})), 0.5);
  EXPECT_LT(distance(plain, with({.seed = 1, .scale = 0.0})), 1e-4);
  EXPECT_LT(distance(with({.seed = 1, .scale = 0.5}), with({.seed = 1}, 0.5)), 1e-3);
}

TEST_F(TinyModel, ControlVectorChangesTheLogits) {
  const TinyModelOptions options{.layers = 3};
  const auto model = make(options);
  const auto with = [&](const TinyAdapterOptions& adapter_options, double scale = 1.0) {
    Adapter adapter;
    adapter.control_vector = (folder_ / ("vector" + std::to_string(++count_))).string();
    adapter.control_scale = scale;
    write_tiny_control_vector(adapter.control_vector, options, adapter_options);
    return logits_after(*model, "Hello there", adapter);
  };
  const auto plain = logits_after(*model, "Hello there");
  const auto one = with({.seed = 1});
  EXPECT_GT(distance(plain, one), 0.5);
  EXPECT_EQ(one, with({.seed = 1}));
  EXPECT_GT(distance(one, with({.seed = 2})), 0.5);
  EXPECT_LT(distance(plain, with({.seed = 1, .scale = 0.0})), 1e-4);
  EXPECT_LT(distance(with({.seed = 1, .scale = 0.5}), with({.seed = 1}, 0.5)), 1e-3);
}

TEST_F(TinyModel, AdaptersOfAnotherModelAreRefused) {
  const auto model = make();
  const TinyModelOptions wide{.embedding = 64};
  const std::string lora = (folder_ / "lora").string();
  const std::string vector = (folder_ / "vector").string();
  write_tiny_lora(lora, wide, {});
  write_tiny_control_vector(vector, wide, {});
  expect_error(ErrorKind::model, {lora},
               [&] { (void)logits_after(*model, "a", {.lora = lora, .control_vector = ""}); });
  expect_error(ErrorKind::model, {vector},
               [&] { (void)logits_after(*model, "a", {.lora = "", .control_vector = vector}); });
}

TEST_F(TinyModel, BadOptionsAndPathsAreErrors) {
  const auto path = folder_ / "model.gguf";
  expect_error(ErrorKind::usage, {"head"}, [&] { write_tiny_model(path, {.embedding = 30}); });
  expect_error(ErrorKind::usage, {"positive"}, [&] { write_tiny_model(path, {.layers = 0}); });
  expect_error(ErrorKind::usage, {"positive"}, [&] { write_tiny_model(path, {.temperature = 0}); });
  expect_error(ErrorKind::usage, {"rank"}, [&] { write_tiny_lora(path, {}, {.rank = 0}); });
  expect_error(ErrorKind::usage, {"two layers"},
               [&] { write_tiny_control_vector(path, {.layers = 1}); });
  expect_error(ErrorKind::usage, {"smaller"}, [&] {
    write_tiny_lora(path, {.layers = 1000, .embedding = 4, .heads = 1, .feed_forward = 2});
  });
  EXPECT_FALSE(std::filesystem::exists(path));
  expect_error(ErrorKind::io, {"no/such"}, [&] { write_tiny_model(folder_ / "no/such", {}); });
  expect_error(ErrorKind::io, {"/dev/full"}, [&] { write_tiny_model("/dev/full", {}); });
}

}  // namespace
}  // namespace tq::llama
