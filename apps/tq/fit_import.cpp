// tq fit --from-json, --from-safetensors: a head that was fitted elsewhere.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fit.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/engine/llama/head_file.hpp"
#include "transferq/policy/model_store.hpp"
#include "transferq/reward/features.hpp"

namespace tq::app {
namespace {

nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorKind::io, fmt::format("can't read {}; check the path", path));
  try {
    return nlohmann::json::parse(file);
  } catch (const nlohmann::json::parse_error& e) {
    throw Error(ErrorKind::input, fmt::format("{} is not valid JSON at byte {}", path, e.byte));
  }
}

HeadFile imported(const FitFlags& f, const Model& model) {
  const nlohmann::json json = read_json(f.from_json);
  HeadFile head;
  try {
    head.weights = json.at("weights").get<std::vector<float>>();
    head.bias = json.value("bias", 0.0);
    const std::string feature = json.value("feature", "last token, after the final norm");
    if (feature.rfind("last token", 0) != 0) {
      throw Error(ErrorKind::input, fmt::format("{}: the feature '{}' is not known; heads read the "
                                                "last token, after the final norm",
                                                f.from_json, feature));
    }
    head.provenance = fmt::format("imported; trained on {}", json.value("trained_on", "unknown"));
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorKind::input, fmt::format("{} is no head; it needs \"weights\": [numbers] and "
                                              "may have \"bias\", \"feature\" and \"trained_on\"",
                                              f.from_json));
  }
  head.pooling = "last";
  head.base_name = model.name();
  head.base_identity = model.identity();
  head.text = f.text.empty() ? "conversation" : f.text;
  return head;
}

void check_width(const HeadFile& head, const Model& model, const FitFlags& f) {
  const std::size_t states = head_pooling(head.pooling)->parts();
  if (head.weights.size() == states * model.hidden_size()) return;
  throw Error(ErrorKind::model,
              fmt::format("{} has {} weights, but {} has {} hidden values{}; name the model it was "
                          "fitted on with --model",
                          f.from_json.empty() ? f.safetensors.file.string() : f.from_json,
                          head.weights.size(), model.name(), model.hidden_size(),
                          states == 1 ? ""
                                      : fmt::format(", and --pooling {} takes {} times as many",
                                                    head.pooling, states)));
}

}  // namespace

void import_head(const FitFlags& f) {
  if (f.pooling != "auto" && !head_pooling(f.pooling)) {
    throw Error(ErrorKind::usage, fmt::format("--pooling {} is neither end nor some of "
                                              "last,mean,max,min in this order",
                                              f.pooling));
  }
  ModelStore models;
  const auto model = models.model(f.model);
  HeadFile head =
      f.from_json.empty() ? import_safetensors(f.safetensors, *model) : imported(f, *model);
  head.name = head_name(f);
  if (f.pooling != "auto") head.pooling = f.pooling;
  check_width(head, *model, f);
  write_head(f.out, head);
  print(fmt::format("wrote {}, a head for {}\n", f.out, model->name()));
}

}  // namespace tq::app
