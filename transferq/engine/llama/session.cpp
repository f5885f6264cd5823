#include "transferq/engine/llama/session.hpp"

#include <fmt/format.h>
#include <ggml-backend.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "transferq/core/error.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/engine/llama/context.hpp"
#include "transferq/engine/llama/runtime.hpp"

namespace tq::llama {
namespace {

// What a feed may want of each of its tokens; all else is of the last one.
constexpr Want kEachToken = Want::states | Want::likelihood;

// ln P(token) of unnormalised logits, [vocabulary].
double log_probability(std::span<const float> logits, Token token) {
  const double top = logits[argmax(logits)];
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - top);
  return logits[static_cast<std::size_t>(token)] - top - std::log(sum);
}

}  // namespace

struct LlamaSession::Slot {
  std::size_t feed;
  std::int32_t row;    // its token's place in the batch
  std::size_t output;  // its place among the batch's outputs
  Want want;           // of this token alone
  Token next;          // the feed's next token, for its likelihood
};

LlamaSession::LlamaSession(std::shared_ptr<const LoadedModel> model, const SessionOptions& options)
    : model_(std::move(model)) {
  const std::size_t cells = options.cells == 0 ? model_->context() : options.cells;
  const std::size_t branches =
      std::clamp<std::size_t>(options.branches, 1, llama_max_parallel_sequences());
  batch_capacity_ = kBatch;
  output_capacity_ = std::clamp(options.outputs, branches, std::max(branches, kBatch));
  context_ = open_context(*model_, options, {cells, branches, output_capacity_},
                          {on_tensor, on_abort, this});
  table_ = std::make_unique<BranchTable>(branches, cells);
  batch_ = llama_batch_init(static_cast<std::int32_t>(batch_capacity_), 0, 1);
}

LlamaSession::~LlamaSession() { llama_batch_free(batch_); }

BranchId LlamaSession::fork(BranchId branch) {
  const BranchId copy = table_->fork(branch);
  llama_memory_seq_cp(llama_get_memory(context_.get()), branch, copy, -1, -1);
  return copy;
}

void LlamaSession::truncate(BranchId branch, std::size_t length) {
  table_->truncate(branch, length);
  llama_memory_seq_rm(llama_get_memory(context_.get()), branch, static_cast<llama_pos>(length), -1);
}

void LlamaSession::drop(BranchId branch) {
  table_->drop(branch);
  llama_memory_seq_rm(llama_get_memory(context_.get()), branch, -1, -1);
}

// llama.cpp calls this for each node of the graph: asked, it says whether it wants the tensor;
// then it gets it computed. The final norm holds one row for each output of a micro-batch; those of
// a batch come one after the other, in the order of its tokens.
bool LlamaSession::on_tensor(ggml_tensor* tensor, bool ask, void* self) {
  auto& session = *static_cast<LlamaSession*>(self);
  const bool wanted = session.capture_ && std::strcmp(tensor->name, "result_norm") == 0;
  if (ask || !wanted) return ask ? wanted : true;
  const std::size_t before = session.hidden_.size();
  session.hidden_.resize(before + static_cast<std::size_t>(ggml_nelements(tensor)));
  ggml_backend_tensor_get(tensor, session.hidden_.data() + before, 0, ggml_nbytes(tensor));
  return true;
}

// llama.cpp asks this between the nodes of the graph (on the CPU).
bool LlamaSession::on_abort(void* self) { return static_cast<LlamaSession*>(self)->stopped(); }

void LlamaSession::add(const Feed& feed, std::size_t offset, bool output) {
  const auto row = batch_.n_tokens++;
  batch_.token[row] = feed.tokens[offset];
  batch_.pos[row] = static_cast<llama_pos>(table_->length(feed.branch) + offset);
  batch_.n_seq_id[row] = 1;
  batch_.seq_id[row][0] = feed.branch;
  batch_.logits[row] = output ? 1 : 0;
}

void LlamaSession::evaluate(std::span<const Slot> slots, std::vector<Output>& outputs) {
  capture_ = std::any_of(slots.begin(), slots.end(),
                         [](const Slot& s) { return has(s.want, Want::hidden | Want::states); });
  hidden_.clear();
  check_stopped();
  clear_log();
  const int status = llama_decode(context_.get(), batch_);
  if (status != 0) check_stopped();
  if (status != 0) {
    throw Error(status == 1 ? ErrorKind::capacity : ErrorKind::model,
                fmt::format("llama.cpp could not evaluate {} tokens (status {}): {}",
                            batch_.n_tokens, status, last_error()));
  }
  const std::size_t width = model_->hidden_size();
  if (capture_ && hidden_.size() != slots.size() * width) {
    throw Error(
        ErrorKind::model,
        fmt::format("{} gives no final hidden state; a head can't read it", model_->name()));
  }
  for (const Slot& slot : slots) {
    Output& out = outputs[slot.feed];
    if (has(slot.want, Want::logits | Want::argmax | Want::likelihood)) {
      const float* row = llama_get_logits_ith(context_.get(), slot.row);
      const std::span<const float> logits(row, model_->vocabulary());
      if (has(slot.want, Want::logits)) out.logits.assign(logits.begin(), logits.end());
      if (has(slot.want, Want::argmax)) out.argmax = static_cast<Token>(argmax(logits));
      if (has(slot.want, Want::likelihood))
        out.likelihood.push_back(log_probability(logits, slot.next));
    }
    if (has(slot.want, Want::hidden | Want::states)) {
      const float* row = hidden_.data() + slot.output * width;
      if (has(slot.want, Want::hidden)) out.hidden.assign(row, row + width);
      if (has(slot.want, Want::states)) out.states.insert(out.states.end(), row, row + width);
    }
  }
  batch_.n_tokens = 0;
}

std::vector<Output> LlamaSession::forward(std::span<const Feed> feeds) {
  table_->check(feeds, model_->vocabulary());
  if (feeds.empty()) return {};
  std::vector<Output> outputs(feeds.size());
  std::vector<Slot> slots;
  batch_.n_tokens = 0;
  try {
    for (std::size_t i = 0; i < feeds.size(); ++i) {
      const Feed& feed = feeds[i];
      for (std::size_t j = 0; j < feed.tokens.size(); ++j) {
        const bool last = j + 1 == feed.tokens.size();
        const Want want = feed.want & (last ? ~Want::likelihood : kEachToken);
        const bool output = want != Want::nothing;
        if (static_cast<std::size_t>(batch_.n_tokens) == batch_capacity_ ||
            (output && slots.size() == output_capacity_)) {
          evaluate(slots, outputs);
          slots.clear();
        }
        if (output) {
          slots.push_back(
              {i, batch_.n_tokens, slots.size(), want, last ? kNoToken : feed.tokens[j + 1]});
        }
        add(feed, j, output);
      }
    }
    evaluate(slots, outputs);
  } catch (...) {
    for (const Feed& feed : feeds) {  // forget what was evaluated of this call
      llama_memory_seq_rm(llama_get_memory(context_.get()), feed.branch,
                          static_cast<llama_pos>(table_->length(feed.branch)), -1);
    }
    throw;
  }
  for (const Feed& feed : feeds) {
    table_->append(feed.branch, feed.tokens);
    evaluations_ += feed.tokens.size();
  }
  return outputs;
}

}  // namespace tq::llama
