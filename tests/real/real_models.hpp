// The default model and the head beside it, for tests on real weights. The F32 conversion is made
// by the test `real.make_f32` (tq models --make smollm2-f32) before these run.
#pragma once

#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "transferq/engine/llama/head_file.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/policy/catalog.hpp"

namespace tq::testing {

inline nlohmann::json fixture(const std::string& name) {
  std::ifstream file(std::string(TQ_FIXTURES) + "/" + name);
  return nlohmann::json::parse(file);
}

// One copy a process: several tests share the weights.
inline std::shared_ptr<const Model> real_model(const std::string& name) {
  static std::map<std::string, std::shared_ptr<const Model>> loaded;
  auto& model = loaded[name];
  if (model == nullptr) model = llama::load_model(find_model(name));
  return model;
}

// The sentiment head of fixtures/official, for a model.
inline HeadFile sentiment_head(const Model& model) {
  const auto json = fixture("official/head_sst2.json");
  HeadFile head;
  head.name = "sentiment";
  head.base_name = model.name();
  head.base_identity = model.identity();
  head.text = "conversation";
  head.pooling = "last";
  head.weights = json.at("weights").get<std::vector<float>>();
  head.bias = json.at("bias");
  return head;
}

}  // namespace tq::testing
