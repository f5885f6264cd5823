// The subcommands: each adds itself to the command line and runs when it was chosen.
#pragma once

#include <CLI/CLI.hpp>

namespace tq::app {

void add_generate(CLI::App& app);
void add_fit(CLI::App& app);
void add_control(CLI::App& app);
void add_score(CLI::App& app);
void add_eval(CLI::App& app);
void add_report(CLI::App& app);
void add_lab(CLI::App& app);
void add_bench(CLI::App& app);
void add_models(CLI::App& app);

}  // namespace tq::app
