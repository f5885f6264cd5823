// An experiment: every run (a decoder with its settings, under a name) answers every prompt with
// every seed; each answer is measured, and judged against that of one run. Results are rows of one
// file (results_file.hpp), appended as they are finished, so a kill loses nothing but what was
// being decoded, and the same call goes on from there: first answering.hpp, then judging.hpp. The
// rows are described in docs/eval.md.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "transferq/eval/experiment/measures.hpp"
#include "transferq/eval/generator.hpp"
#include "transferq/eval/judge/pair_judge.hpp"
#include "transferq/eval/results_file.hpp"

namespace tq {

struct ExperimentRun {
  std::string name;
  std::string decoder;
  Setup setup;             // its seed is not used
  SessionOptions session;  // of each worker, threads included
};

// Immutable while it is carried out.
struct Experiment {
  std::string settings;  // fingerprint of all that can change a row
  std::vector<Prompt> prompts;
  std::vector<std::uint64_t> seeds;
  std::vector<ExperimentRun> runs;
  Measures measures;
  std::shared_ptr<const PairJudge> judge;  // none: nothing is judged
  std::string against;                     // the run that the others are judged against
};

// Ids of rows. A failure is no answer: its row is written once, and the answer is tried again.
inline constexpr const char* kHeaderId = "#setup";
std::string response_id(const std::string& run, std::uint64_t seed, const std::string& prompt);
std::string failure_id(const std::string& response);
std::string judgement_id(const std::string& response);

// Every row that the experiment may write, the header among them.
std::vector<ExpectedRow> expected_rows(const Experiment& experiment);

struct ExperimentOptions {
  SessionOptions session;           // of each worker, its threads included
  std::size_t workers = 1;          // prompts decoded at once
  std::function<void()> done = {};  // by any thread, for each of what was left: made, failed, or
                                    // not to be judged because an answer failed
  // Called with each answer and the run's name, by any thread.
  std::function<void(const std::string&, const Decoded&)> answered = {};
};

// What could not be answered or judged, and why; in no particular order.
struct Failure {
  std::string id;
  std::string reason;
};

// Writes the header unless it is there.
void write_header(const Experiment& experiment, ResultsFile& results,
                  const nlohmann::ordered_json& fields);

// How many answers and judgements there are to be, and how many of them are still to be made.
struct Extent {
  std::size_t all = 0, left = 0;
};
Extent extent_of(const Experiment& experiment, const ResultsFile& results);

}  // namespace tq
