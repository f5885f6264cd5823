// What sweeps found, as one HTML page that needs nothing else: the plots are inline SVG, and a
// policy in its head forbids any request. It follows the reader's light or dark setting. Pure.
#pragma once

#include <string>
#include <vector>

#include "transferq/lab/sweep.hpp"

namespace tq::lab {

struct About {
  std::string title, worlds, command;  // one line each
};

std::string page(const About& about, const std::vector<SweepRow>& rows);

}  // namespace tq::lab
