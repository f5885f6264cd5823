// The parts of `tq lab`, one file each.
#pragma once

#include <CLI/CLI.hpp>

namespace tq::app {

void add_lab_sweep(CLI::App& lab);
void add_lab_sample(CLI::App& lab);

}  // namespace tq::app
