#include "transferq/fit/control_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/layer_states.hpp"
#include "transferq/eval/parallel.hpp"

namespace tq {
namespace {

// Tokens read in one evaluation.
constexpr std::size_t kOutputs = 64;

std::size_t longest(std::span<const Contrast> contrasts, std::size_t context) {
  std::size_t most = 1;
  for (const Contrast& contrast : contrasts) {
    for (const ContrastText* text : {&contrast.positive, &contrast.negative}) {
      if (text->tokens.size() > context) {
        throw Error(ErrorKind::input,
                    fmt::format("{} has {} tokens, and the model's context {}; shorten it",
                                contrast.source, text->tokens.size(), context));
      }
      most = std::max(most, text->tokens.size());
    }
  }
  return most;
}

struct Range {
  int first, last;
};

Range layers_of(const ControlOptions& options, std::size_t layers, const std::string& model) {
  const int last = static_cast<int>(layers) - 1;
  if (last < 1) {
    throw Error(ErrorKind::model, fmt::format("{} has one layer, and a control vector begins "
                                              "at the second; use another --model",
                                              model));
  }
  const Range range{options.first_layer == 0 ? 1 : options.first_layer,
                    options.last_layer == 0 ? last : options.last_layer};
  if (range.first < 1 || range.first > range.last || range.last > last) {
    throw Error(ErrorKind::usage, fmt::format("layers {}-{} are not among those of {}, 1-{}",
                                              range.first, range.last, model, last));
  }
  return range;
}

}  // namespace

ControlFit fit_control(std::span<const Contrast> contrasts, const Policy& base,
                       const ControlOptions& options, std::stop_token stop,
                       const std::function<void()>& done) {
  const auto threads = static_cast<std::size_t>(std::max(1, options.session.threads));
  const std::size_t workers = std::max<std::size_t>(1, std::min(threads, contrasts.size()));
  SessionOptions session = options.session;
  session.threads = static_cast<int>(std::max<std::size_t>(1, threads / workers));
  session.cells = longest(contrasts, base.model().context());
  session.outputs = options.mean ? kOutputs : 1;
  session.adapter = base.adapter();

  ControlFit out;
  llama::LayerReader first(base.shared_model(), session);
  out.layers = first.layers();
  out.architecture = first.architecture();
  const Range range = layers_of(options, out.layers, base.model().name());
  const auto steered = static_cast<std::size_t>(range.last - range.first + 1);
  const std::size_t width = first.width();
  std::vector<FeatureMatrix> differences(steered);  // [contrasts x width] of each layer
  for (FeatureMatrix& layer : differences) layer = {width, {}};
  for (FeatureMatrix& layer : differences) layer.values.resize(contrasts.size() * width);

  std::atomic<std::uint64_t> evaluations{0};
  run_parallel(contrasts.size(), workers, stop, [&](std::size_t worker) {
    auto own =
        worker == 0 ? nullptr : std::make_shared<llama::LayerReader>(base.shared_model(), session);
    return [&, own](std::size_t i) {
      llama::LayerReader& reader = own == nullptr ? first : *own;
      const auto read = [&](const ContrastText& text) {
        llama::LayerStates states =
            reader.read(text.tokens, options.mean ? text.first : text.tokens.size() - 1);
        return options.mean ? std::move(states.mean) : std::move(states.last);
      };
      const std::uint64_t before = reader.evaluations();
      reader.forget();
      const std::vector<float> positive = read(contrasts[i].positive);
      const std::vector<float> negative = read(contrasts[i].negative);
      for (std::size_t layer = 0; layer < steered; ++layer) {
        const std::size_t from = (static_cast<std::size_t>(range.first) + layer) * width;
        for (std::size_t j = 0; j < width; ++j) {
          differences[layer].values[i * width + j] = positive[from + j] - negative[from + j];
        }
      }
      evaluations += reader.evaluations() - before;
      if (done) done();
    };
  });
  if (stop.stop_requested()) throw Error(ErrorKind::interrupted, "interrupted");
  out.evaluations = evaluations;

  bool differs = false;
  for (std::size_t layer = 0; layer < steered; ++layer) {
    Direction direction = find_direction(differences[layer], options.method);
    differs = differs || direction.length > 0;
    for (float& x : direction.values) x /= std::sqrt(static_cast<float>(steered));
    out.directions[range.first + static_cast<int>(layer)] = std::move(direction);
  }
  if (!differs) {
    throw Error(ErrorKind::input,
                "the texts make no difference in any layer; make the positive and the negative "
                "ones differ");
  }
  return out;
}

}  // namespace tq
