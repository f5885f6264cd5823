// What exactly was run, from the header of results, and what a reader must know of gaps. Pure.
#pragma once

#include <string>
#include <vector>

#include "transferq/eval/report/results.hpp"
#include "transferq/eval/report/summary.hpp"

namespace tq::report {

struct Fact {
  std::string name, value;
};

// A text of the header, or "".
std::string text_of(const Results& results, const char* key);
std::string title_of(const Results& results);

// Data, models, rewards, seeds, version, machine, the runs with their settings.
std::vector<Fact> facts(const Results& results);

// Rows that are missing, that failed, or that were skipped; empty when all is there.
std::vector<std::string> notes(const Results& results, const Summary& summary);

}  // namespace tq::report
