// The setup file of an experiment (docs/eval.md): what is asked, who answers, what is measured.
//
//   name, description, duration (texts), seeds = [0], against = RUN, and any flag of tq generate
//     but seed: the default of all runs
//   [data]       prompts = FILE, format, sample, seed
//   [metrics]    rewards = {NAME = LIST}, embedding = MODEL, perplexity
//   [judge]      the keys of eval/judge/pair_judge.hpp
//   [[decoder]]  name, and any flag of tq generate but seed: one run
//
// Files are found from the setup's folder (setup_paths.hpp); prompts and the judge's prompt are
// nothing but files, and nowhere else.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flags.hpp"
#include "transferq/core/spec.hpp"

namespace tq::app {

struct RunSetup {
  std::string name;
  DecodingFlags flags;
  std::map<std::string, std::string> given;  // what the file says of this run, by flag
};

struct EvalSetup {
  std::string text;  // the file's
  std::string name, description, duration;
  std::vector<std::uint64_t> seeds{0};
  std::string against;  // the name of a run
  std::filesystem::path prompts;
  std::string prompts_format = "auto";
  std::size_t sample = 0;  // 0: all prompts
  std::uint64_t sample_seed = 0;
  std::map<std::string, std::string> rewards;  // unseen ones
  std::string embedding;
  bool perplexity = false;
  std::optional<Spec> judge;
  std::vector<RunSetup> runs;

  std::size_t index_of(const std::string& run) const;  // which must be there
};

// `defaults` are what the command line says for all runs; it wins over the file.
// Throws Error (usage), with file and line, for an unknown key (the nearest is offered), a value
// that makes no sense, two runs of one name, or what is missing.
EvalSetup read_eval_setup(const std::string& path, const SessionFlags& defaults);

}  // namespace tq::app
