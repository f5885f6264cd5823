// The judgements of an experiment: each answer in its file against that of one run to the same
// prompt with the same seed, as far as the file has no judgement of the two yet.
#pragma once

#include <stop_token>
#include <vector>

#include "transferq/eval/experiment/experiment.hpp"

namespace tq {

// Where one of the two answers has failed there is nothing to judge. A pair that the judge has no
// room for (Error of kind input) is a failure and is tried again the next time; any other Error
// stops all and is thrown. Does nothing without a judge; returns early when stopped.
std::vector<Failure> judge_all(const Experiment& experiment, ResultsFile& results,
                               const ExperimentOptions& options, std::stop_token stop = {});

}  // namespace tq
