// How much a token may cost, in one word or one number instead of five flags: settings of the
// decoders tq and cd that a measurement found worth their cost (docs/performance.md, "Profiles").
//
// A profile is a setup that everything else wins over: it sets those of its flags that neither the
// command line nor a setup file gave.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "transferq/eval/bench/measure.hpp"

namespace tq::app {

// Adds --profile and --budget.
void add_profile_flags(CLI::App& command, std::string& profile, std::string& budget);

// Sets what --profile or --budget stands for. `passes` measures the engine for a budget of
// milliseconds; without it there is none. Throws Error (usage) for a decoder that has no roll-outs,
// for both at once, and for a budget that is no number or below the least.
void apply_profile(CLI::App& command, const std::string& profile, const std::string& budget,
                   const std::function<PassTime()>& passes = {});

}  // namespace tq::app
