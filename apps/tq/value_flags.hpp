// The flags of a learned value (docs/value.md): --value and --screen.
#pragma once

#include <string>
#include <vector>

#include "flags.hpp"

namespace tq::app {

void add_value_flags(CLI::App& command, DecodingFlags& flags);

// Reads the file of --value; with it, and without --screen, nothing is rolled out. Throws Error:
// usage for flags that make no sense together, model for a file that is no learned value.
void settle_value(DecodingFlags& flags);

// Throws Error (model) when the value was fitted on another model than `roller`, which rolls out.
// Returns what a person should know of the two, a line each.
std::vector<std::string> check_learned_value(const DecodingFlags& flags, const Policy& roller,
                                             const Reward* reward);

}  // namespace tq::app
