// What tq control found out, for a person or a program.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "transferq/fit/control_fit.hpp"

namespace tq::app {

struct ControlReport {
  std::string out, model, method, pooling;
  std::string contrast;  // in words
  std::size_t pairs = 0;
  std::size_t identical = 0, empty = 0, left_out = 0, cut = 0;  // of data
  std::string data;                                             // its fingerprint
  ControlFit fit;
};

nlohmann::ordered_json report_json(const ControlReport& report);
std::string report_text(const ControlReport& report);

}  // namespace tq::app
