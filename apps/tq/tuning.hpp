// What `tq bench --tune` measured, kept for later commands: for each machine, engine, model file
// and kind of memory whether flash attention is faster, and which micro-batch. One JSON file in the
// cache folder, $XDG_CACHE_HOME/transferq/tuning.json.
//
// The number of threads is not kept: it depends on how many prompts are decoded side by side.
#pragma once

#include <filesystem>

#include "flags.hpp"

namespace tq::app {

std::filesystem::path tuning_file();

// Throws Error (io) when the file can't be written.
void keep_tuning(const SessionFlags& flags, const Model& model, const SessionOptions& best);

// The session with what was tuned for the model, as far as anything was and no flag says otherwise.
// A file that can't be read is none.
void apply_tuning(const SessionFlags& flags, const Model& model, SessionOptions& session);

// As flags and files write it: "auto", "off" or "on".
const char* flash_name(Flash flash);

}  // namespace tq::app
