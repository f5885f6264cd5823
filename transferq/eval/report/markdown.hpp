// A report as Markdown: verdict, tables, and what exactly was run. Pure.
#pragma once

#include <string>

#include "transferq/eval/report/results.hpp"
#include "transferq/eval/report/summary.hpp"

namespace tq::report {

std::string markdown(const Results& results, const Summary& summary);

}  // namespace tq::report
