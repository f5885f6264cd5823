// What `tq bench` measured, and how it is told.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "transferq/eval/bench/measure.hpp"

namespace tq::app {

struct BenchRow {
  std::string what;  // plain, the decoder, engine, or compared
  std::size_t prompt_tokens = 0;
  std::size_t together = 1;  // prompts answered in one go
  std::string shape;         // of the engine's batches, "10 x 21"
  Measured measured;
  std::optional<double> of_engine;   // its evaluations a second, as a share of the engine's
  std::optional<double> over_plain;  // its seconds a token, in those of plain decoding
};

struct BenchReport {
  std::string model, engine, command;
  nlohmann::ordered_json machine;
  std::vector<BenchRow> rows;
};

std::string bench_header();
std::string bench_line(const BenchRow& row);
nlohmann::ordered_json bench_json(const BenchReport& report);
// One HTML page of plots and the table, which needs nothing else.
std::string bench_page(const BenchReport& report);

// Runs another implementation once, `/bin/sh -c command`: it gets {"prompt", "prompt_tokens",
// "tokens"} as a line of JSON on its standard input, and prints {"tokens", "seconds"} and, if it
// counts them, "evaluations", all without the prompt's own, as its last line. Throws Error (io)
// when it fails or prints anything else.
Measured run_compared(const std::string& command, const std::string& prompt,
                      std::size_t prompt_tokens, std::size_t tokens, std::stop_token stop);

}  // namespace tq::app
