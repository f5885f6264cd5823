// A setup file: the flags of a command, written down as TOML. Keys are the flags' names without
// dashes in front; a table stands for a list (`model = {name = "smollm2", system = "Be kind"}`),
// and an array inside it for lists in braces (`reward = {sum = ["head=sentiment", {length =
// 50}]}`). What the command line gives wins over the file. Files are found from the setup's folder
// (setup_paths.hpp).
#pragma once

#include <toml++/toml.h>

#include <CLI/CLI.hpp>
#include <string>

namespace tq::app {

// Throws Error (usage) for a file that is not TOML, an unknown key (the nearest is offered) or a
// value that makes no sense for its key.
void apply_setup_file(CLI::App& command, const std::string& path);

// The parts of it, for a file that holds more than flags. Throw as it does.
toml::table read_setup(const std::string& path);
void apply_setup_table(CLI::App& command, const toml::table& table, const std::string& path);
// A text, number, true or false, or the list that a table stands for; `key` is for messages.
std::string setup_value(const toml::node& node, const std::string& key);

}  // namespace tq::app
