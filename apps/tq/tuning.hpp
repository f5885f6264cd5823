// What `tq bench --tune` measured, kept for later commands: for each machine, engine and model file
// which settings of the engine are the fastest. One JSON file in the cache folder,
// $XDG_CACHE_HOME/transferq/tuning.json.
#pragma once

#include <filesystem>
#include <optional>

#include "flags.hpp"
#include "transferq/eval/bench/tune.hpp"

namespace tq::app {

// What is taken from a tuning without being asked for. The number of threads is not: it depends on
// how many prompts are decoded side by side.
struct Tuning {
  Flash flash = Flash::automatic;
  std::size_t micro_batch = 0;
};

std::filesystem::path tuning_file();

// Of this machine, engine and model; nothing where none was kept or the file can't be read.
std::optional<Tuning> read_tuning(const Model& model);

// Throws Error (io) when the file can't be written.
void keep_tuning(const Model& model, const Tuning& tuning);

// The session with what was tuned, except for what flags say.
void apply_tuning(const SessionFlags& flags, const Model& model, SessionOptions& session);

}  // namespace tq::app
