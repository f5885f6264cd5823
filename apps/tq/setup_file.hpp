// A setup file: the flags of a command, written down as TOML. Keys are the flags' names without
// dashes in front; a table stands for a list (`model = {name = "smollm2", system = "Be kind"}`),
// and an array inside it for lists in braces (`reward = {sum = ["head=sentiment", {length =
// 50}]}`). What the command line gives wins over the file.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tq::app {

// Throws Error (usage) for a file that is not TOML, an unknown key (the nearest is offered) or a
// value that makes no sense for its key.
void apply_setup_file(CLI::App& command, const std::string& path);

}  // namespace tq::app
