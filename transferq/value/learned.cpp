#include "transferq/value/learned.hpp"

#include <fmt/format.h>

#include <numeric>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/core/sha256.hpp"

namespace tq {
namespace {

double dot(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0, std::plus<>(),
                            [](float x, float y) { return double{x} * double{y}; });
}

}  // namespace

LearnedValue::LearnedValue(ValueFile file) : file_(std::move(file)) {
  Sha256 digest;
  digest.update(fmt::format("{} {} ", file_.base_identity, file_.bias));
  for (const auto* part :
       {&file_.weights, &file_.levels, &file_.level_biases, &file_.level_weights}) {
    digest.update({reinterpret_cast<const char*>(part->data()), part->size() * sizeof(float)});
  }
  fingerprint_ = digest.hex();
}

double LearnedValue::mean(std::span<const float> state) const {
  return dot(state, file_.weights) + file_.bias;
}

double LearnedValue::soft(std::span<const float> state, double beta) const {
  const std::span<const float> weights(file_.level_weights);
  std::vector<double> logits, tilted;
  for (std::size_t l = 0; l < file_.levels.size(); ++l) {
    const auto row = weights.subspan(l * state.size(), state.size());
    logits.push_back(dot(state, row) + double{file_.level_biases[l]});
    tilted.push_back(logits.back() + double{file_.levels[l]} / beta);
  }
  return beta * (log_sum_exp(tilted) - log_sum_exp(logits));
}

void check_model(const LearnedValue& value, const Model& model, bool force) {
  const ValueFile& file = value.file();
  if (file.weights.size() != model.hidden_size()) {
    throw Error(ErrorKind::model,
                fmt::format("the value {} reads {} hidden values, {} has {}; fit one on it with "
                            "`tq fit --value`",
                            file.name, file.weights.size(), model.name(), model.hidden_size()));
  }
  if (file.base_identity != model.identity() && !force) {
    throw Error(ErrorKind::model,
                fmt::format("the value {} was fitted on {}, and {} is another model or "
                            "quantisation; fit one on it with `tq fit --value`, or add force=1",
                            file.name, file.base_name, model.name()));
  }
}

}  // namespace tq
