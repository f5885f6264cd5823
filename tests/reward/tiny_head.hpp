// Heads on tiny models and tables, for the tests of everything that scores by one.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/engine/llama/head_file.hpp"

namespace tq::testing {

// A head of random weights that was fitted on `base`.
inline HeadFile random_head(const Model& base, std::uint64_t seed = 1,
                            const std::string& text = "conversation") {
  HeadFile head;
  head.name = "random";
  head.base_name = base.name();
  head.base_identity = base.identity();
  head.text = text;
  head.pooling = "last";
  head.provenance = "a test";
  for (std::uint32_t i = 0; i < base.hidden_size(); ++i) {
    head.weights.push_back(static_cast<float>(uniform({.seed = seed, .position = i}) - 0.5));
  }
  head.bias = 0.25;
  return head;
}

// The same for other poolings than the last token.
inline HeadFile pooled_head(const Model& base, const std::string& pooling) {
  HeadFile head = random_head(base);
  head.pooling = pooling;
  const auto parts = 1 + std::count(pooling.begin(), pooling.end(), ',');
  for (std::uint64_t seed = 2; seed <= static_cast<std::uint64_t>(parts); ++seed) {
    const std::vector<float> more = random_head(base, seed).weights;
    head.weights.insert(head.weights.end(), more.begin(), more.end());
  }
  return head;
}

// w . h + b at the last of the tokens, evaluated from nothing.
inline double head_value(const HeadFile& head, const Model& base, const Tokens& tokens) {
  const auto hidden = evaluate(base, tokens).hidden;
  double value = head.bias;
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    value += double{hidden[i]} * double{head.weights[i]};
  }
  return value;
}

}  // namespace tq::testing
