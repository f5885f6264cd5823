// Ctrl-C and SIGTERM as a request to stop between two evaluations.
#pragma once

#include <stop_token>

namespace tq::app {

// Installs the handlers once and returns the token they trigger. A write beyond a file-size limit
// is made an ordinary error.
std::stop_token stop_on_signals();

}  // namespace tq::app
