// Ctrl-C and SIGTERM as a request to stop between two evaluations.
#pragma once

#include <stop_token>
#include <string>

namespace tq::app {

// Installs the handlers once and returns the token they trigger. A write beyond a file-size limit
// is made an ordinary error.
std::stop_token stop_on_signals();

// "interrupted", for the message, and by what unless it was a key: a run that ends without anybody
// having touched it can say who did. Once the token is triggered.
std::string interruption();

}  // namespace tq::app
