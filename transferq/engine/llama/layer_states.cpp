#include "transferq/engine/llama/layer_states.hpp"

#include <fmt/format.h>
#include <ggml-backend.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/context.hpp"
#include "transferq/engine/llama/runtime.hpp"

namespace tq::llama {
namespace {

// The layer whose output a tensor of the graph is, or -1. llama.cpp names them l_out-N.
int layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "l_out-";
  int layer = -1;
  if (name.substr(0, kPrefix.size()) == kPrefix) {
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
  }
  return layer;
}

}  // namespace

class LayerReader::Capture {
 public:
  Capture(std::shared_ptr<const LoadedModel> model, const SessionOptions& options)
      : model_(std::move(model)),
        layers_(static_cast<std::size_t>(llama_model_n_layer(model_->get()))),
        width_(static_cast<std::size_t>(llama_model_n_embd(model_->get()))),
        cells_(options.cells == 0 ? model_->context() : options.cells),
        outputs_(std::clamp<std::size_t>(options.outputs, 1, kBatch)) {
    SessionOptions whole = options;
    whole.micro_batch = kMicroBatch;  // a layer's rows come in one go
    context_ = open_context(*model_, whole, {cells_, 1, outputs_}, {on_tensor, nullptr, this});
    batch_ = llama_batch_init(static_cast<std::int32_t>(kBatch), 0, 1);
  }
  ~Capture() { llama_batch_free(batch_); }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  LayerStates read(std::span<const Token> tokens, std::size_t first);

  void forget() { held_.clear(); }
  const LoadedModel& model() const { return *model_; }
  std::size_t layers() const { return layers_; }
  std::size_t width() const { return width_; }
  std::uint64_t evaluations() const { return evaluations_; }

 private:
  static bool on_tensor(ggml_tensor* tensor, bool ask, void* self);
  void take(const ggml_tensor* tensor, std::size_t layer);
  void evaluate(std::span<const Token> tokens, std::size_t at, std::size_t count,
                std::size_t first);

  std::shared_ptr<const LoadedModel> model_;
  std::size_t layers_, width_, cells_, outputs_;
  Context context_;
  llama_batch batch_;
  std::vector<Token> held_;  // what the memory holds
  std::uint64_t evaluations_ = 0;
  // Of the text under way:
  std::size_t unread_ = 0;           // tokens of this evaluation that are not read, ahead of
  std::size_t wanted_ = 0;           // those that are
  std::vector<double> sums_;         // [layers x width]
  std::vector<float> last_;          // [layers x width]
  std::vector<std::size_t> counts_;  // tokens in each layer's sum
};

// llama.cpp calls this for each node of the graph: asked, it says whether it wants the tensor; then
// it gets it computed. Behind the last layer there is nothing of interest: false ends the
// evaluation.
bool LayerReader::Capture::on_tensor(ggml_tensor* tensor, bool ask, void* self) {
  auto& capture = *static_cast<Capture*>(self);
  const int layer = capture.wanted_ == 0 ? -1 : layer_of(tensor->name);
  const bool ours = layer >= 0 && static_cast<std::size_t>(layer) < capture.layers_;
  if (ask || !ours) return ask ? ours : true;
  capture.take(tensor, static_cast<std::size_t>(layer));
  return static_cast<std::size_t>(layer) + 1 < capture.layers_;
}

void LayerReader::Capture::take(const ggml_tensor* tensor, std::size_t layer) {
  const auto rows = static_cast<std::size_t>(tensor->ne[1]);
  // The last layer may have been left out for all tokens but those that have an output.
  const std::size_t skip = rows == unread_ + wanted_ ? unread_ : 0;
  const bool fits = tensor->type == GGML_TYPE_F32 &&
                    static_cast<std::size_t>(tensor->ne[0]) == width_ && rows == skip + wanted_;
  if (!fits) return;
  std::vector<float> values(rows * width_);
  ggml_backend_tensor_get(tensor, values.data(), 0, ggml_nbytes(tensor));
  for (std::size_t row = skip; row < rows; ++row) {
    for (std::size_t j = 0; j < width_; ++j) {
      sums_[layer * width_ + j] += double{values[row * width_ + j]};
    }
  }
  std::copy(values.end() - static_cast<std::ptrdiff_t>(width_), values.end(),
            last_.begin() + static_cast<std::ptrdiff_t>(layer * width_));
  counts_[layer] += wanted_;
}

void LayerReader::Capture::evaluate(std::span<const Token> tokens, std::size_t at,
                                    std::size_t count, std::size_t first) {
  unread_ = std::min(count, first > at ? first - at : 0);
  wanted_ = count - unread_;
  batch_.n_tokens = static_cast<std::int32_t>(count);
  for (std::size_t i = 0; i < count; ++i) {
    batch_.token[i] = tokens[at + i];
    batch_.pos[i] = static_cast<llama_pos>(at + i);
    batch_.n_seq_id[i] = 1;
    batch_.seq_id[i][0] = 0;
    batch_.logits[i] = at + i >= first ? 1 : 0;
  }
  clear_log();
  const int status = llama_decode(context_.get(), batch_);
  if (status != 0) {
    throw Error(status == 1 ? ErrorKind::capacity : ErrorKind::model,
                fmt::format("llama.cpp could not evaluate {} tokens (status {}): {}", count, status,
                            last_error()));
  }
  evaluations_ += count;
}

LayerStates LayerReader::Capture::read(std::span<const Token> tokens, std::size_t first) {
  if (first >= tokens.size()) {
    throw Error(ErrorKind::usage, "there is no token to read the layers at; give a longer text");
  }
  if (tokens.size() > cells_) {
    throw Error(ErrorKind::capacity,
                fmt::format("a text of {} tokens is longer than the memory of {}; shorten it",
                            tokens.size(), cells_));
  }
  sums_.assign(layers_ * width_, 0.0);
  last_.assign(layers_ * width_, 0.0f);
  counts_.assign(layers_, 0);
  const std::size_t most = std::min(first, held_.size());
  const auto same = std::mismatch(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(most),
                                  tokens.begin());
  const auto keep = static_cast<std::size_t>(same.first - held_.begin());
  held_.clear();  // until all of the text is evaluated
  llama_memory_seq_rm(llama_get_memory(context_.get()), 0, static_cast<llama_pos>(keep), -1);
  for (std::size_t at = keep; at < tokens.size();) {
    const std::size_t most_read = (first > at ? first - at : 0) + outputs_;
    const std::size_t count = std::min({kBatch, most_read, tokens.size() - at});
    evaluate(tokens, at, count, first);
    at += count;
  }
  held_.assign(tokens.begin(), tokens.end());

  LayerStates out{layers_, width_, std::move(last_), {}};
  for (std::size_t layer = 0; layer < layers_; ++layer) {
    if (counts_[layer] != tokens.size() - first) {
      throw Error(ErrorKind::model,
                  fmt::format("{} does not show the state of its layer {}; use another model",
                              model_->name(), layer));
    }
  }
  const auto read = static_cast<double>(tokens.size() - first);
  for (const double sum : sums_) out.mean.push_back(static_cast<float>(sum / read));
  return out;
}

LayerReader::LayerReader(const std::shared_ptr<const Model>& model, const SessionOptions& options) {
  auto loaded = std::dynamic_pointer_cast<const LoadedModel>(model);
  if (loaded == nullptr) {
    throw Error(ErrorKind::model,
                fmt::format("{} has no layers to read; use a GGUF model", model->name()));
  }
  capture_ = std::make_unique<Capture>(std::move(loaded), options);
}

LayerReader::~LayerReader() = default;

std::size_t LayerReader::layers() const { return capture_->layers(); }
std::size_t LayerReader::width() const { return capture_->width(); }
std::uint64_t LayerReader::evaluations() const { return capture_->evaluations(); }

std::string LayerReader::architecture() const {
  std::array<char, 128> name{};
  const int length = llama_model_meta_val_str(capture_->model().get(), "general.architecture",
                                              name.data(), name.size());
  return length < 0 ? "" : std::string(name.data());
}

void LayerReader::forget() { capture_->forget(); }

LayerStates LayerReader::read(std::span<const Token> tokens, std::size_t first) {
  return capture_->read(tokens, first);
}

}  // namespace tq::llama
