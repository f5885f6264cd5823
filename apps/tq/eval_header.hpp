// The header of an experiment's results: what exactly is run, for whoever reads them later.
#pragma once

#include <nlohmann/json.hpp>

#include "eval_setup.hpp"
#include "transferq/eval/data/prompt_set.hpp"
#include "transferq/eval/experiment/experiment.hpp"

namespace tq::app {

// The fields that are the same for all parts of an experiment (docs/eval.md). The experiment's runs
// are those of the setup, in order.
nlohmann::ordered_json eval_header(const EvalSetup& setup, const PromptSet& data,
                                   const Experiment& experiment);

}  // namespace tq::app
