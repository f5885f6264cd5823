// The flags of the decoders that draw whole responses, segments or chunks: best-of and those after
// it (docs/decoders.md).
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "transferq/decode/factory.hpp"

namespace tq::app {

void add_drawing_flags(CLI::App& command, DecoderOptions& options);

// What of them can change a result, for the fingerprint of a run.
std::string drawing_settings(const DecoderOptions& options);

}  // namespace tq::app
