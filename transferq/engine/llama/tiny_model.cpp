#include "transferq/engine/llama/tiny_model.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/gguf_writer.hpp"
#include "transferq/engine/llama/pooling.hpp"
#include "transferq/engine/llama/tiny_vocabulary.hpp"
#include "transferq/engine/llama/tiny_weights.hpp"

namespace tq::llama {
namespace {

void check(const TinyModelOptions& o) {
  const bool positive = o.layers > 0 && o.embedding > 1 && o.heads > 0 && o.feed_forward > 0 &&
                        o.context > 0 && o.temperature > 0;
  if (!positive || o.embedding % o.heads != 0 || o.embedding / o.heads % 2 != 0) {
    throw Error(ErrorKind::usage,
                "a tiny model needs positive sizes and an even number of channels in each head");
  }
}

// How much likelier than the others a token is made, in units of log-odds (roughly).
double preference(int token, const std::vector<std::string>& bytes) {
  if (token == kTinyEnd) return 2.5;
  if (token < kTinySpecials) return -6.0;
  const std::string& text = bytes[static_cast<std::size_t>(token)];
  if (text.size() > 1) return 0.5;
  const auto byte = static_cast<unsigned char>(text[0]);
  if (byte == ' ' || byte == '\n') return 0.5;
  if (byte < 0x20 || byte == 0x7F) return -6.0;
  return byte < 0x80 ? 0.0 : -3.5;
}

// The matrices of a layer: its name, columns (input) and rows (output).
struct Matrix {
  std::string_view name;
  int columns, rows;
  double scale;  // of the output for an input of unit scale
};

std::array<Matrix, 7> matrices(const TinyModelOptions& o) {
  const int n = o.embedding, f = o.feed_forward;
  return {{{"attn_q", n, n, 1.5},
           {"attn_k", n, n, 1.5},
           {"attn_v", n, n, 1.0},
           {"attn_output", n, n, 1.5},
           {"ffn_gate", n, f, 1.5},
           {"ffn_up", n, f, 1.0},
           {"ffn_down", f, n, 1.0}}};
}

bool writes_residual(const Matrix& matrix) {
  return matrix.name == "attn_output" || matrix.name == "ffn_down";
}

}  // namespace

void write_tiny_model(const std::filesystem::path& path, const TinyModelOptions& o) {
  check(o);
  GgufWriter file;
  file.set("general.architecture", "llama");
  file.set("general.type", "model");
  file.set("general.name", fmt::format("tiny-{}", o.seed).c_str());
  file.set("general.file_type", 0);
  file.set("llama.context_length", o.context);
  file.set("llama.embedding_length", o.embedding);
  file.set("llama.block_count", o.layers);
  file.set("llama.feed_forward_length", o.feed_forward);
  file.set("llama.attention.head_count", o.heads);
  file.set("llama.attention.head_count_kv", o.heads);
  file.set("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  file.set("llama.rope.dimension_count", o.embedding / o.heads);
  file.set("llama.rope.freq_base", 10000.0F);
  if (o.pooling) file.set("llama.pooling_type", pooling_number(*o.pooling));
  write_tiny_vocabulary(file, o.begins);
  if (o.chat_template) {
    file.set("tokenizer.chat_template",
             "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
             "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
             "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}");
  }

  const Weights weights(o.seed);
  const auto bytes = tiny_token_bytes();
  const int vocabulary = static_cast<int>(bytes.size());
  file.set("llama.vocab_size", vocabulary);
  const auto add_norm = [&](const std::string& name) {
    file.add(name, o.embedding, 0, [&](int, int column) { return weights.gain(name, column); });
  };

  // Channel 0 is the same for all tokens and no layer writes to it: it carries the output's bias.
  file.add("token_embd.weight", o.embedding, vocabulary, [&](int row, int column) {
    return column == 0 ? 2.0F : weights("token_embd", row, column, 1.0);
  });
  for (int layer = 0; layer < o.layers; ++layer) {
    const std::string prefix = fmt::format("blk.{}.", layer);
    add_norm(prefix + "attn_norm.weight");
    add_norm(prefix + "ffn_norm.weight");
    for (const Matrix& matrix : matrices(o)) {
      const std::string name = fmt::format("{}{}.weight", prefix, matrix.name);
      const double scale = matrix.scale / std::sqrt(static_cast<double>(matrix.columns));
      file.add(name, matrix.columns, matrix.rows, [&](int row, int column) {
        if (row == 0 && writes_residual(matrix)) return 0.0F;
        return weights(name, row, column, scale);
      });
    }
  }
  add_norm("output_norm.weight");
  const double scale = 2.2 / (o.temperature * std::sqrt(static_cast<double>(o.embedding - 1)));
  file.add("output.weight", o.embedding, vocabulary, [&](int row, int column) {
    if (column == 0) return static_cast<float>(preference(row, bytes) / o.temperature);
    // The end of a response is less a matter of chance, so that no seed's model babbles on.
    return weights("output", row, column, row == kTinyEnd ? scale / 2 : scale);
  });
  file.write(path);
}

void write_tiny_lora(const std::filesystem::path& path, const TinyModelOptions& base,
                     const TinyAdapterOptions& o) {
  check(base);
  if (o.rank < 1) throw Error(ErrorKind::usage, "the rank of a LoRA adapter is at least 1");
  GgufWriter file;
  file.set("general.architecture", "llama");
  file.set("general.type", "adapter");
  file.set("general.name", fmt::format("tiny-lora-{}", o.seed).c_str());
  file.set("adapter.type", "lora");
  file.set("adapter.lora.alpha", static_cast<float>(o.rank));  // applied as alpha / rank
  const Weights weights(o.seed);
  for (int layer = 0; layer < base.layers; ++layer) {
    for (const Matrix& matrix : matrices(base)) {
      const std::string name = fmt::format("blk.{}.{}.weight", layer, matrix.name);
      const std::string a = name + ".lora_a", b = name + ".lora_b";
      const double scale_a = 1.0 / std::sqrt(static_cast<double>(matrix.columns));
      const double scale_b = 0.5 * o.scale / std::sqrt(static_cast<double>(o.rank));
      file.add(a, matrix.columns, o.rank,
               [&](int row, int column) { return weights(a, row, column, scale_a); });
      file.add(b, o.rank, matrix.rows, [&](int row, int column) {
        if (row == 0 && writes_residual(matrix)) return 0.0F;
        return weights(b, row, column, scale_b);
      });
    }
  }
  file.write(path);
}

void write_tiny_control_vector(const std::filesystem::path& path, const TinyModelOptions& base,
                               const TinyAdapterOptions& o) {
  check(base);
  if (base.layers < 2) {
    throw Error(ErrorKind::usage, "a control vector needs a model of two layers at least");
  }
  GgufWriter file;
  file.set("general.architecture", "controlvector");
  file.set("controlvector.model_hint", "llama");
  file.set("controlvector.layer_count", base.layers - 1);
  const Weights weights(o.seed);
  for (int layer = 1; layer < base.layers; ++layer) {
    const std::string name = fmt::format("direction.{}", layer);
    file.add(name, base.embedding, 0, [&](int, int column) {
      return column == 0 ? 0.0F : weights(name, 0, column, o.scale);
    });
  }
  file.write(path);
}

}  // namespace tq::llama
