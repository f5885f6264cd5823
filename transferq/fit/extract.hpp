// The features of units: the frozen hidden states of a model, read as the scorer of a head reads
// them (reward/features.hpp), by several workers, through the store on disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "transferq/fit/linear_fit.hpp"
#include "transferq/fit/units.hpp"
#include "transferq/policy/policy.hpp"
#include "transferq/reward/features.hpp"

namespace tq {

struct ExtractOptions {
  bool conversation = true;  // read prompt and response; else the response alone
  HeadPooling pooling{.last = true, .mean = true, .max = true, .min = true};  // all but end
  std::size_t max_tokens = 2048;  // of a text; at most the model's context
  SessionOptions session;         // its threads are shared among the workers
  std::filesystem::path store;    // where features are kept
};

// What became of texts that are too long.
struct CutCounts {
  std::size_t cut = 0;        // responses that lost their end
  std::size_t left_out = 0;   // units whose prompt leaves no room for a response
  std::size_t identical = 0;  // pairs that differ only behind the cut, left out
};

// Cuts the units' responses so that no text has more than max_tokens.
CutCounts cut_texts(std::vector<Unit>& units, const Policy& base, const ExtractOptions& options);

struct Extracted {
  HeadPooling pooling;
  FeatureMatrix features;  // one row a response, in order
  std::size_t texts = 0;
  std::size_t cached = 0;  // texts whose features were there
  std::uint64_t evaluations = 0;
  std::size_t damaged = 0;  // records of the store that were dropped
  std::string trouble;      // why features were not kept, or ""
};

// What some of the poolings that were read give.
FeatureMatrix pooled_by(const HeadPooling& pooling, const Extracted& extracted);

// Reads the features of units that cut_texts() has seen. `done` is called after each, by any
// thread. Throws Error, naming file and line, for a text that can't be read or whose features are
// not finite; `interrupted` when stopped, and what was read until then is kept.
Extracted extract_features(const std::vector<Unit>& units, const Policy& base,
                           const ExtractOptions& options, std::stop_token stop = {},
                           const std::function<void()>& done = {});

}  // namespace tq
