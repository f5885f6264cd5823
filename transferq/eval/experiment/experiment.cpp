#include "transferq/eval/experiment/experiment.hpp"

#include <fmt/format.h>

#include "transferq/eval/row.hpp"

namespace tq {
namespace {

// Calls visit(id, run, seed, prompt) for each answer there should be.
template <typename Visit>
void for_each_answer(const Experiment& experiment, const Visit& visit) {
  for (const ExperimentRun& run : experiment.runs) {
    for (const std::uint64_t seed : experiment.seeds) {
      for (const Prompt& prompt : experiment.prompts) {
        visit(response_id(run.name, seed, prompt.id), run, prompt);
      }
    }
  }
}

bool judged(const Experiment& experiment, const ExperimentRun& run) {
  return experiment.judge != nullptr && run.name != experiment.against;
}

}  // namespace

std::string response_id(const std::string& run, std::uint64_t seed, const std::string& prompt) {
  return fmt::format("{}/{}/{}", run, seed, prompt);
}
std::string failure_id(const std::string& response) { return "error/" + response; }
std::string judgement_id(const std::string& response) { return "judge/" + response; }

std::vector<ExpectedRow> expected_rows(const Experiment& experiment) {
  std::vector<ExpectedRow> rows{{kHeaderId, nlohmann::json::object()}};
  for_each_answer(experiment, [&](const std::string& id, const auto& run, const Prompt& prompt) {
    rows.push_back({id, asked_fields(prompt)});
    rows.push_back({failure_id(id), nlohmann::json::object()});
    if (judged(experiment, run)) rows.push_back({judgement_id(id), nlohmann::json::object()});
  });
  return rows;
}

void write_header(const Experiment& experiment, ResultsFile& results,
                  const nlohmann::ordered_json& fields) {
  if (results.finished(kHeaderId)) return;
  nlohmann::ordered_json row = {{"id", kHeaderId}, {"settings", experiment.settings}};
  row.update(fields);
  results.append(kHeaderId, row.dump());
}

Extent extent_of(const Experiment& experiment, const ResultsFile& results) {
  Extent extent;
  const auto count = [&](const std::string& id) {
    ++extent.all;
    extent.left += results.finished(id) ? 0 : 1;
  };
  for_each_answer(experiment, [&](const std::string& id, const auto& run, const Prompt&) {
    count(id);
    if (judged(experiment, run)) count(judgement_id(id));
  });
  return extent;
}

}  // namespace tq
