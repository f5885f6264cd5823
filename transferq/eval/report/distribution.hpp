// The chart of how rewards are distributed. Inline SVG without scripts: it shows in print and where
// JavaScript is off. Colours are the page's --c0 to --c7 (Okabe and Ito's, safe for the
// colour-blind), a run also has a shape of its own, and its name stands beside it. Pure.
#pragma once

#include <string>

#include "transferq/eval/report/summary.hpp"

namespace tq::report {

// The rewards of each run's responses: their density, quartiles, median and mean. "" where no run
// has any.
std::string distribution_chart(const Summary& summary);

}  // namespace tq::report
