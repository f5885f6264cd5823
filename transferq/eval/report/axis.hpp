// Axes of charts: from data to the drawing, the room around the data, and round numbers beside it.
// Pure.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace tq::report {

// The frame of all charts, in units of the drawing; a chart may be higher than it.
namespace frame {
inline constexpr double kWidth = 460, kHeight = 330, kLeft = 52, kRight = 14, kTop = 14,
                        kBottom = 44;
}

struct Axis {
  double low, high, from, to;
  bool log = false;
  double at(double value) const;
};

// Widens a range so that nothing lies on the frame; a range of no width gets one.
std::pair<double, double> padded(double low, double high, double share);

// Round numbers from low to high, about `count` of them; for a logarithmic axis, 1, 2 and 5 times
// powers of ten, thinned to fit.
std::vector<double> ticks(double low, double high, std::size_t count);
std::vector<double> log_ticks(double low, double high, std::size_t count);

}  // namespace tq::report
