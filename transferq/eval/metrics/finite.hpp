// What statistics are computed of: numbers, each of them finite.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <string>

#include "transferq/core/error.hpp"

namespace tq {

// Throws Error (usage) that names the first value which is not a finite number.
inline void require_finite(std::span<const double> values, const std::string& what) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw Error(ErrorKind::usage, "value " + std::to_string(i + 1) + " of " + what +
                                      " is not a finite number; leave out what has no value");
  }
}

}  // namespace tq
