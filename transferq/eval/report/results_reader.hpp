// Reads results files of `tq eval` line by line and merges those of one setup.
//
// Refused, with file and line: what is no row of `tq eval`, a row of other settings, and one id
// twice with different content (once more the same is no harm, as from a shard given twice; a
// response takes the place of a failure that was tried again). A last line that a kill cut off is
// left out and noted.
#pragma once

#include <filesystem>
#include <vector>

#include "transferq/eval/report/results.hpp"

namespace tq::report {

// Throws Error: io for a file that can't be read, input for one that is refused.
Results read_results(const std::vector<std::filesystem::path>& files);

}  // namespace tq::report
