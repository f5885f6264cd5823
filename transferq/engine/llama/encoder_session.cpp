#include "transferq/engine/llama/encoder_session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/encoder_text.hpp"
#include "transferq/engine/llama/runtime.hpp"

namespace tq::llama {
namespace {

// Tokens of an evaluation, while no text is longer. The compute buffers grow with it, by the square
// where attention is written out, so it is not the model's full length from the start.
constexpr std::size_t kBatch = 512;

void normalize(std::vector<float>& vector) {
  double sum = 0;
  for (const float x : vector) sum += double{x} * double{x};
  if (sum == 0) return;
  const double scale = 1 / std::sqrt(sum);
  for (float& x : vector) x = static_cast<float>(x * scale);
}

}  // namespace

LlamaEncoderSession::LlamaEncoderSession(std::shared_ptr<const LoadedEncoder> encoder, int threads)
    : encoder_(std::move(encoder)) {
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  threads_ = threads > 0 ? std::min(threads, cores) : cores;
}

LlamaEncoderSession::~LlamaEncoderSession() {
  if (capacity_ > 0) llama_batch_free(batch_);
}

// A text must fit into one micro-batch: attention that is not causal sees it whole or not at all.
void LlamaEncoderSession::make_room(std::size_t tokens) {
  if (tokens <= capacity_) return;
  const std::size_t capacity = (tokens + kBatch - 1) / kBatch * kBatch;
  llama_context_params params = llama_context_default_params();
  params.n_ctx = params.n_batch = params.n_ubatch = static_cast<std::uint32_t>(capacity);
  params.n_seq_max = static_cast<std::uint32_t>(std::min(capacity, llama_max_parallel_sequences()));
  params.n_threads = params.n_threads_batch = threads_;
  params.kv_unified = true;
  params.embeddings = true;
  params.no_perf = true;
  params.type_k = params.type_v = GGML_TYPE_F32;  // a decoder's memory; it is small
  params.flash_attn_type =
      llama_supports_gpu_offload() ? LLAMA_FLASH_ATTN_TYPE_AUTO : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  context_.reset();  // free its memory first
  clear_log();
  context_.reset(llama_init_from_model(encoder_->get(), params));
  if (context_ == nullptr) {
    if (capacity_ > 0) llama_batch_free(batch_);
    capacity_ = 0;
    throw Error(ErrorKind::capacity, fmt::format("no memory to read {} tokens at once with {}: {}",
                                                 capacity, encoder_->name(), last_error()));
  }
  if (capacity_ > 0) llama_batch_free(batch_);
  batch_ = llama_batch_init(static_cast<std::int32_t>(capacity), 0, 1);
  capacity_ = capacity;
}

void LlamaEncoderSession::evaluate(Range sequences, std::size_t width,
                                   std::vector<std::vector<float>>& out) {
  batch_.n_tokens = 0;
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    for (std::size_t i = 0; i < sequences[s].size(); ++i) {
      const auto row = batch_.n_tokens++;
      batch_.token[row] = sequences[s][i];
      batch_.pos[row] = static_cast<llama_pos>(i);
      batch_.n_seq_id[row] = 1;
      batch_.seq_id[row][0] = static_cast<llama_seq_id>(s);
      batch_.logits[row] = 1;
    }
  }
  if (llama_memory_t memory = llama_get_memory(context_.get()); memory != nullptr) {
    llama_memory_clear(memory, false);
  }
  clear_log();
  if (const int status = llama_decode(context_.get(), batch_); status != 0) {
    throw Error(ErrorKind::model,
                fmt::format("{} could not read {} tokens (status {}): {}", encoder_->name(),
                            batch_.n_tokens, status, last_error()));
  }
  evaluations_ += static_cast<std::uint64_t>(batch_.n_tokens);
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    const float* row = llama_get_embeddings_seq(context_.get(), static_cast<llama_seq_id>(s));
    if (row == nullptr) {
      throw Error(ErrorKind::model, fmt::format("{} pools nothing", encoder_->name()));
    }
    out.emplace_back(row, row + width);
  }
}

std::vector<std::vector<float>> LlamaEncoderSession::pool(Range sequences, std::size_t width) {
  std::size_t longest = 0;
  for (const auto& tokens : sequences) longest = std::max(longest, tokens.size());
  make_room(longest);
  std::vector<std::vector<float>> out;
  out.reserve(sequences.size());
  const std::size_t limit = llama_max_parallel_sequences();
  for (std::size_t begin = 0; begin < sequences.size();) {
    std::size_t end = begin, tokens = 0;
    while (end < sequences.size() && !sequences[end].empty() && end - begin < limit &&
           tokens + sequences[end].size() <= capacity_) {
      tokens += sequences[end++].size();
    }
    if (end > begin) {
      evaluate(sequences.subspan(begin, end - begin), width, out);
    } else {
      out.emplace_back();
      ++end;
    }
    begin = end;
  }
  return out;
}

std::vector<std::vector<float>> LlamaEncoderSession::embed(std::span<const std::string> texts) {
  if (encoder_->pooling() == Pooling::rank) {
    throw Error(ErrorKind::usage,
                fmt::format("{} has a rank head and gives no embeddings", encoder_->name()));
  }
  std::vector<std::vector<Token>> sequences;
  for (const std::string& text : texts) {
    sequences.push_back(encode_text(encoder_->vocabulary(), text, encoder_->longest()));
  }
  auto out = pool(sequences, encoder_->dimensions());
  for (auto& vector : out) {
    vector.resize(encoder_->dimensions(), 0.0F);
    normalize(vector);
  }
  return out;
}

std::vector<std::vector<float>> LlamaEncoderSession::rank(std::span<const RankPair> pairs) {
  if (encoder_->pooling() != Pooling::rank) {
    throw Error(ErrorKind::usage, fmt::format("{} has no rank head", encoder_->name()));
  }
  const char* shape = llama_model_chat_template(encoder_->get(), "rerank");
  std::vector<std::vector<Token>> sequences;
  for (const RankPair& pair : pairs) {
    sequences.push_back(encode_pair(encoder_->vocabulary(), shape, pair, encoder_->longest()));
    if (sequences.back().empty()) {
      throw Error(ErrorKind::input,
                  fmt::format("{} can't rank an empty text for an empty query", encoder_->name()));
    }
  }
  return pool(sequences, encoder_->labels().size());
}

}  // namespace tq::llama
