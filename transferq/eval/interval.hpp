// Wilson's interval for a proportion: it stays inside [0, 1] and holds for few trials and for
// proportions near 0 or 1.
//
//   (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
//
// Source: Wilson, "Probable inference, the law of succession, and statistical inference", Journal
// of the American Statistical Association 22 (1927).
#pragma once

#include <cstddef>

namespace tq {

struct Proportion {
  double value = 0;
  double low = 0, high = 1;  // the 95% interval
};

// `trials` is at least 1.
Proportion wilson(std::size_t successes, std::size_t trials);

}  // namespace tq
