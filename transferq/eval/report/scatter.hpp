// Charts of reward against what it costs. Inline SVG without scripts: it shows in print and where
// JavaScript is off. Colours are the page's --c0 to --c7 (Okabe and Ito's, safe for the
// colour-blind), a run also has a shape of its own, and its name stands beside it. Pure.
#pragma once

#include <string>

#include "transferq/eval/report/summary.hpp"

namespace tq::report {

// Reward against token evaluations for each token (logarithmic), with intervals and the frontier.
// "" where no run has both.
std::string cost_chart(const Summary& summary);
// Reward against KL to the reference, likewise.
std::string kl_chart(const Summary& summary);

}  // namespace tq::report
