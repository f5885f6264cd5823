// The answers of an experiment: what its file has none of yet is decoded, measured and appended.
//
// Run by run, so that a worker keeps the sessions of one run only; several workers side by side.
#pragma once

#include <stop_token>
#include <vector>

#include "transferq/eval/experiment/experiment.hpp"

namespace tq {

// A prompt at fault (Error of kind input) is a failure, which gets a row of its own, and the others
// go on; any other Error stops all and is thrown. Returns early when stopped.
std::vector<Failure> answer_all(const Experiment& experiment, ResultsFile& results,
                                const ExperimentOptions& options, std::stop_token stop = {});

}  // namespace tq
