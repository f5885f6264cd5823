// The content of results files of `tq eval`, as a report needs it: plain data.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transferq/eval/judge/win_rate.hpp"

namespace tq::report {

// A response of a run. Numbers that a row doesn't have are missing here, too.
struct Answer {
  std::size_t run = 0;     // in Results::runs
  std::size_t prompt = 0;  // in Results::prompts
  std::uint64_t seed = 0;
  std::string text;
  std::vector<std::pair<std::size_t, std::size_t>> changed;  // [begin, end) in code points
  std::size_t tokens = 0;
  bool cut = false;  // ended by its length
  std::optional<double> reward, kl;
  std::string kl_kind;
  double evaluations = 0;  // policy, reference and reward; without the prompt's own
  double seconds = 0;
  std::map<std::string, double> metrics;  // words, diversity, coherence, perplexity
  std::map<std::string, double> unseen;   // rewards of further models
};

struct Failed {
  std::size_t run = 0;
  std::string prompt_id, message;
};

// What a judge said about a run's answer when it stood first and second.
struct Judged {
  std::size_t run = 0;
  std::string prompt_id, against, judge;
  Judgement judgement;
};

struct Asked {
  std::string id, text;
  std::vector<std::pair<std::string, std::string>> before;  // role and text of earlier messages
};

struct Run {
  std::string name, decoder;
  std::vector<std::pair<std::string, std::string>> settings;
};

struct Results {
  nlohmann::ordered_json header;  // of the first file
  std::vector<std::string> shards, commands;
  std::vector<Run> runs;
  std::string against;  // a run's name, or "" when there is none
  std::vector<std::string> rewards;
  std::vector<std::uint64_t> seeds;
  // In one order, whatever order the rows came in: sums and draws depend on it.
  std::vector<Asked> prompts;   // by id, short ones first: p2 before p10
  std::vector<Answer> answers;  // by run, prompt and seed
  std::vector<Failed> failures;
  std::vector<Judged> judged;
  std::vector<std::string> notes;  // what was skipped, for the reader of the report

  std::size_t run_of(const std::string& name) const {  // runs.size() when there is none
    std::size_t i = 0;
    while (i < runs.size() && runs[i].name != name) ++i;
    return i;
  }
};

}  // namespace tq::report
