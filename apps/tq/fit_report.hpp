// What a fit found out, for a person or a program.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fit.hpp"
#include "transferq/fit/extract.hpp"
#include "transferq/fit/head_fit.hpp"

namespace tq::app {

struct FitReport {
  std::string out, model, format, text, loss, cache;
  bool pairs = false;
  std::size_t identical = 0, empty = 0;  // examples left out
  CutCounts cut;
  std::size_t shared = 0;  // training examples left out because the test has their prompt
  std::size_t fitted = 0, held_out = 0;
  std::vector<std::string> poolings;  // of the feature sets
  std::size_t folds = 0;
  std::uint64_t seed = 0;
  std::string data;  // its fingerprint
  Extracted features;
  FitResult fit;
};

nlohmann::ordered_json report_json(const FitReport& report);
std::string report_text(const FitReport& report);

}  // namespace tq::app
