#include "transferq/eval/report/results_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <numeric>
#include <tuple>
#include <unordered_map>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/core/text.hpp"
#include "transferq/eval/report/result_row.hpp"

namespace tq::report {
namespace {

using nlohmann::ordered_json;

// What an id was seen with.
struct Seen {
  std::string digest, where;
  bool failed = false;
};

class Merger {
 public:
  void read(const std::filesystem::path& file);
  Results finish();

 private:
  void take(ordered_json row, const std::string& where);
  void take_header(ordered_json row, const std::string& where);
  bool is_new(const ordered_json& row, const std::string& id, bool failed,
              const std::string& where);
  std::size_t prompt_of(const ordered_json& row);

  Results results_;
  std::string settings_, first_file_;
  std::unordered_map<std::string, Seen> seen_;
  std::unordered_map<std::string, std::size_t> prompts_;
  std::vector<std::pair<std::string, Failed>> failures_;  // by row id
};

Error refused(const std::string& where, const std::string& what) {
  return Error(ErrorKind::input, fmt::format("{}: {}", where, what));
}

// Rows come in the order in which they were finished, and those of shards in that of the files. A
// report must not depend on it: not by the last digit of a mean, nor by what a bootstrap draws.
void put_in_order(Results& results) {
  const std::vector<Asked>& prompts = results.prompts;
  std::vector<std::size_t> order(prompts.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::make_tuple(prompts[a].id.size(), std::cref(prompts[a].id)) <
           std::make_tuple(prompts[b].id.size(), std::cref(prompts[b].id));
  });
  std::vector<Asked> sorted;
  std::vector<std::size_t> place(prompts.size());
  for (const std::size_t i : order) {
    place[i] = sorted.size();
    sorted.push_back(prompts[i]);
  }
  results.prompts = std::move(sorted);
  for (Answer& answer : results.answers) answer.prompt = place[answer.prompt];
  std::sort(results.answers.begin(), results.answers.end(), [](const Answer& a, const Answer& b) {
    return std::tie(a.run, a.prompt, a.seed) < std::tie(b.run, b.prompt, b.seed);
  });
  std::sort(results.failures.begin(), results.failures.end(), [](const auto& a, const auto& b) {
    return std::tie(a.run, a.prompt_id, a.message) < std::tie(b.run, b.prompt_id, b.message);
  });
}

void Merger::read(const std::filesystem::path& file) {
  std::error_code code;
  if (std::filesystem::is_directory(file, code)) {
    throw Error(ErrorKind::io,
                fmt::format("{} is a folder; give the results files of tq eval", file.string()));
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    throw Error(ErrorKind::io,
                fmt::format("can't read {}: {}", file.string(), std::strerror(errno)));
  }
  std::string line;
  std::size_t number = 0;
  bool has_header = false;
  while (std::getline(in, line)) {
    ++number;
    const bool ended = !in.eof();
    const std::string where = fmt::format("{} line {}", file.string(), number);
    ordered_json row = ordered_json::parse(line, nullptr, false);
    if (row.is_discarded() && !ended && has_header) {
      results_.notes.push_back(fmt::format(
          "{}: a row cut off by a kill was left out; the command of tq eval goes on from there",
          where));
      break;
    }
    if (!row.is_object()) throw refused(where, "no row of tq eval; give files it wrote with --out");
    if (!has_header) {
      if (row.value("id", ordered_json()) != "#setup") {
        throw refused(where, "the header of tq eval is missing; give files it wrote with --out");
      }
      if (first_file_.empty()) first_file_ = file.string();
      has_header = true;
      take_header(std::move(row), where);
    } else {
      take(std::move(row), where);
    }
  }
  if (in.bad()) throw Error(ErrorKind::io, fmt::format("can't read {} whole", file.string()));
  if (!has_header) {
    throw Error(ErrorKind::input,
                fmt::format("{} is empty; give a results file of tq eval", file.string()));
  }
}

void Merger::take_header(ordered_json row, const std::string& where) {
  Header header = header_of(row, where);
  results_.shards.push_back(header.shard);
  results_.commands.push_back(header.command);
  if (settings_.empty()) {
    settings_ = header.settings;
    results_.header = std::move(row);
    results_.runs = std::move(header.runs);
    results_.against = std::move(header.against);
    results_.rewards = std::move(header.rewards);
    results_.seeds = std::move(header.seeds);
  } else if (header.settings != settings_) {
    throw refused(where, fmt::format("results of another setup than {} (settings {}, not {}); "
                                     "report them apart",
                                     first_file_, header.settings, settings_));
  }
}

bool Merger::is_new(const ordered_json& row, const std::string& id, bool failed,
                    const std::string& where) {
  const std::string digest = sha256(row.dump());
  const auto [entry, added] = seen_.try_emplace(id, Seen{digest, where, failed});
  if (added) return true;
  Seen& before = entry->second;
  if (before.digest == digest) return false;
  if (failed) return false;  // it was tried again, and either attempt is known
  if (before.failed) {
    before = {digest, where, false};
    return true;
  }
  throw refused(where, fmt::format("the row '{}' was in {} with other content; give each result "
                                   "once",
                                   id, before.where));
}

void Merger::take(ordered_json row, const std::string& where) {
  const RowHead head = head_of(row, where);
  if (head.id == "#setup") throw refused(where, "a second header in one file");
  if (head.settings != settings_) {
    throw refused(where, fmt::format("a row of other settings ({}, not {}); the file is damaged",
                                     head.settings, settings_));
  }
  const std::size_t run = results_.run_of(head.run);
  if (run == results_.runs.size()) {
    throw refused(where, fmt::format("the run '{}' is not in the header", head.run));
  }
  if (!is_new(row, head.id, head.kind == RowKind::failure, where)) return;
  switch (head.kind) {
    case RowKind::failure:
      failures_.push_back({head.id, failed_of(row)});
      failures_.back().second.run = run;
      break;
    case RowKind::judgement:
      results_.judged.push_back(judged_of(row, where));
      results_.judged.back().run = run;
      break;
    case RowKind::answer:
      results_.answers.push_back(answer_of(row, where));
      results_.answers.back().run = run;
      results_.answers.back().prompt = prompt_of(row);
      break;
  }
}

std::size_t Merger::prompt_of(const ordered_json& row) {
  Asked asked = asked_of(row);
  const auto [entry, added] = prompts_.try_emplace(asked.id, results_.prompts.size());
  if (added) results_.prompts.push_back(std::move(asked));
  return entry->second;
}

Results Merger::finish() {
  for (auto& [id, failed] : failures_) {
    if (seen_.at(id).failed) results_.failures.push_back(std::move(failed));
  }
  put_in_order(results_);
  return std::move(results_);
}

}  // namespace

Results read_results(const std::vector<std::filesystem::path>& files) {
  Merger merger;
  for (const std::filesystem::path& file : files) merger.read(file);
  return merger.finish();
}

}  // namespace tq::report
