// Charts as inline SVG, without scripts: they show in print and where JavaScript is off. Colours
// are the page's --c0 to --c7 (Okabe and Ito's, safe for the colour-blind), a run also has a shape
// of its own, and its name stands beside it. Pure.
#pragma once

#include <string>
#include <vector>

#include "transferq/eval/report/summary.hpp"

namespace tq::report {

// Reward against token evaluations for each token (logarithmic), with intervals and the frontier.
// "" where no run has both.
std::string cost_chart(const Summary& summary);
// Reward against KL to the reference, likewise.
std::string kl_chart(const Summary& summary);
// The rewards of each run's responses: their density, quartiles, median and mean.
std::string distribution_chart(const Summary& summary);

// Round numbers from low to high, about `count` of them; for a logarithmic axis, 1, 2 and 5 times
// powers of ten, thinned to fit.
std::vector<double> ticks(double low, double high, std::size_t count);
std::vector<double> log_ticks(double low, double high, std::size_t count);

}  // namespace tq::report
