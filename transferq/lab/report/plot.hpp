// A plot of several series on two axes, as inline SVG in the manner of the report's charts
// (eval/report): its colours and shapes, its style sheet, no script. Pure.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tq::lab {

struct Series {
  std::string name;
  std::size_t sign = 0;  // which of the colours and shapes
  std::vector<std::pair<double, double>> points = {};
  bool line = true;    // joined in their order
  bool marks = true;   // each with its shape
  bool guide = false;  // a dashed line in the colour of the text: a limit, not a measurement
  std::vector<std::pair<double, double>> intervals = {};  // low and high of each point; or none
};

struct Plot {
  std::string title, x, y;
  bool log_x = false, log_y = false;
  std::vector<Series> series = {};
  std::optional<double> x_most = {};  // where guides would widen the axis
};

// "" where there is nothing to show. On a logarithmic axis points at or below 0 are left out.
std::string drawn(const Plot& plot);

}  // namespace tq::lab
