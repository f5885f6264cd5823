#include "transferq/engine/llama/tiny_encoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/gguf_writer.hpp"
#include "transferq/engine/llama/pooling.hpp"
#include "transferq/engine/llama/tiny_weights.hpp"

namespace tq::llama {
namespace {

constexpr int kPad = 0, kUnknown = 1, kBegin = 2, kSeparator = 3, kMask = 4, kSpecials = 5;

constexpr std::string_view kWords[] = {"the", "a",    "and",  "is",    "you",   "not", "good",
                                       "bad", "very", "film", "movie", "rainy", "day", "happy",
                                       "sad", "i",    "it",   "of",    "to",    "was"};
constexpr std::string_view kEndings[] = {"s", "ed", "ing", "ly", "er", "est"};

// A piece that begins a word has U+2581 in front, as llama.cpp keeps WordPiece.
std::vector<std::string> vocabulary() {
  constexpr std::string_view kBegins = "\xE2\x96\x81";
  std::vector<std::string> pieces{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  const auto add = [&](std::string piece) {
    if (std::find(pieces.begin(), pieces.end(), piece) == pieces.end()) {
      pieces.push_back(std::move(piece));
    }
  };
  for (const std::string_view word : kWords) add(std::string(kBegins).append(word));
  for (const std::string_view ending : kEndings) add(std::string(ending));
  for (char c = '!'; c <= '~'; ++c) {
    if (c >= 'A' && c <= 'Z') continue;
    add(std::string(kBegins) + c);
    add(std::string(1, c));
  }
  return pieces;
}

void write_vocabulary(GgufWriter& file, const TinyEncoderOptions& o) {
  const std::vector<std::string> pieces = vocabulary();
  constexpr std::int32_t kNormal = 1, kControl = 3;
  std::vector<std::int32_t> types(pieces.size(), kNormal);
  std::fill_n(types.begin(), kSpecials, kControl);
  file.set("tokenizer.ggml.model", "bert");
  file.set("tokenizer.ggml.pre", "default");
  file.set("tokenizer.ggml.tokens", pieces);
  file.set("tokenizer.ggml.token_type", types);
  file.set("tokenizer.ggml.token_type_count", 2);
  file.set("tokenizer.ggml.bos_token_id", kBegin);
  file.set("tokenizer.ggml.cls_token_id", kBegin);
  file.set("tokenizer.ggml.seperator_token_id", kSeparator);  // spelt so in the format
  file.set("tokenizer.ggml.unknown_token_id", kUnknown);
  file.set("tokenizer.ggml.padding_token_id", kPad);
  file.set("tokenizer.ggml.mask_token_id", kMask);
  if (o.ends) file.set("tokenizer.ggml.eos_token_id", kSeparator);
  if (o.ends) file.set("tokenizer.ggml.add_eos_token", true);
  if (!o.rerank_template.empty()) {
    file.set("tokenizer.chat_template.rerank", o.rerank_template.c_str());
  }
}

class Writer {
 public:
  Writer(GgufWriter& file, const TinyEncoderOptions& o) : file_(file), weights_(o.seed) {}

  void matrix(const std::string& name, int columns, int rows, double scale) {
    file_.add(name, columns, rows,
              [&](int row, int column) { return weights_(name, row, column, scale); });
  }
  // y = W x + b.
  void linear(const std::string& name, int columns, int rows, double scale) {
    matrix(name + ".weight", columns, rows, scale / std::sqrt(static_cast<double>(columns)));
    matrix(name + ".bias", rows, 0, 0.1);
  }
  void norm(const std::string& name, int width) {
    const std::string weight = name + ".weight";
    file_.add(weight, width, 0, [&](int, int column) { return weights_.gain(weight, column); });
    matrix(name + ".bias", width, 0, 0.1);
  }

 private:
  GgufWriter& file_;
  Weights weights_;
};

}  // namespace

void write_tiny_encoder(const std::filesystem::path& path, const TinyEncoderOptions& o) {
  if (o.layers < 1 || o.heads < 1 || o.embedding < 2 || o.embedding % o.heads != 0 ||
      o.feed_forward < 1 || o.context < 4) {
    throw Error(ErrorKind::usage, "a tiny encoder needs positive sizes and at least 4 tokens");
  }
  GgufWriter file;
  const auto key = [&](const std::string& name) { return o.architecture + "." + name; };
  file.set("general.architecture", o.architecture.c_str());
  file.set("general.type", "model");
  file.set("general.name", fmt::format("tiny-encoder-{}", o.seed).c_str());
  file.set("general.file_type", 0);
  file.set(key("context_length").c_str(), o.context);
  file.set(key("embedding_length").c_str(), o.embedding);
  file.set(key("block_count").c_str(), o.layers);
  file.set(key("feed_forward_length").c_str(), o.feed_forward);
  file.set(key("attention.head_count").c_str(), o.heads);
  file.set(key("attention.layer_norm_epsilon").c_str(), 1e-12F);
  file.set(key("attention.causal").c_str(), false);
  file.set(key("pooling_type").c_str(), pooling_number(o.pooling));
  if (!o.labels.empty()) file.set(key("classifier.output_labels").c_str(), o.labels);
  write_vocabulary(file, o);

  Writer writer(file, o);
  const int n = o.embedding, f = o.feed_forward;
  writer.matrix("token_embd.weight", n, static_cast<int>(vocabulary().size()), 1.0);
  writer.matrix("token_types.weight", n, 2, 0.3);
  writer.matrix("position_embd.weight", n, o.context, 0.5);
  writer.norm("token_embd_norm", n);
  for (int layer = 0; layer < o.layers; ++layer) {
    const std::string block = fmt::format("blk.{}.", layer);
    writer.linear(block + "attn_q", n, n, 1.5);
    writer.linear(block + "attn_k", n, n, 1.5);
    writer.linear(block + "attn_v", n, n, 1.0);
    writer.linear(block + "attn_output", n, n, 1.0);
    writer.norm(block + "attn_output_norm", n);
    writer.linear(block + "ffn_up", n, f, 1.0);
    writer.linear(block + "ffn_down", f, n, 1.0);
    writer.norm(block + "layer_output_norm", n);
  }
  if (o.pooling == Pooling::rank && o.classifier) {
    writer.linear("cls", n, n, 1.0);
    writer.linear("cls.output", n, static_cast<int>(std::max<std::size_t>(o.labels.size(), 1)),
                  2.0);
  }
  file.write(path);
}

}  // namespace tq::llama
