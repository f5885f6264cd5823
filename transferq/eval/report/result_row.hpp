// One line of a results file of `tq eval`, from JSON to data. Each function throws Error (input)
// that begins with `where` (file and line) when the row isn't what it should be.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "transferq/eval/report/results.hpp"

namespace tq::report {

struct Header {
  std::string settings, against, shard, command;
  std::vector<Run> runs;
  std::vector<std::string> rewards;
  std::vector<std::uint64_t> seeds;
};

enum class RowKind { answer, failure, judgement };

struct RowHead {
  std::string id, settings, run;
  RowKind kind;
};

Header header_of(const nlohmann::ordered_json& row, const std::string& where);
RowHead head_of(const nlohmann::ordered_json& row, const std::string& where);

// The numbers of `run` and `prompt` are left to the caller.
Answer answer_of(const nlohmann::ordered_json& row, const std::string& where);
Judged judged_of(const nlohmann::ordered_json& row, const std::string& where);
Failed failed_of(const nlohmann::ordered_json& row);
Asked asked_of(const nlohmann::ordered_json& row);

}  // namespace tq::report
