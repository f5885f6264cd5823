#include "transferq/eval/experiment/judging.hpp"

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <mutex>

#include "transferq/core/error.hpp"
#include "transferq/eval/parallel.hpp"

namespace tq {
namespace {

struct Task {
  const ExperimentRun* run;
  std::uint64_t seed;
  const Prompt* prompt;
  std::string id;  // of the answer
  const std::string* response;
  const std::string* against;
};

// The responses in the file, by id.
std::map<std::string, std::string> responses_in(const ResultsFile& results) {
  std::map<std::string, std::string> out;
  std::ifstream in(results.path());
  for (std::string line; std::getline(in, line);) {
    const auto row = nlohmann::json::parse(line, nullptr, false);
    if (!row.is_object() || !row.contains("response")) continue;
    out[row["id"].get<std::string>()] = row["response"].get<std::string>();
  }
  return out;
}

struct Left {
  std::vector<Task> tasks;
  std::size_t unanswered = 0;  // of which there is no pair, because an answer has failed
};

Left left_to_judge(const Experiment& experiment, const ResultsFile& results,
                   const std::map<std::string, std::string>& responses) {
  Left left;
  for (const ExperimentRun& run : experiment.runs) {
    if (run.name == experiment.against) continue;
    for (const std::uint64_t seed : experiment.seeds) {
      for (const Prompt& prompt : experiment.prompts) {
        std::string id = response_id(run.name, seed, prompt.id);
        const auto own = responses.find(id);
        const auto other = responses.find(response_id(experiment.against, seed, prompt.id));
        if (results.finished(judgement_id(id))) continue;
        if (own == responses.end() || other == responses.end()) {
          ++left.unanswered;
          continue;
        }
        left.tasks.push_back({&run, seed, &prompt, std::move(id), &own->second, &other->second});
      }
    }
  }
  return left;
}

nlohmann::ordered_json judgement_row(const Experiment& experiment, const Task& task,
                                     const Judgement& judgement) {
  return {{"id", judgement_id(task.id)},
          {"settings", experiment.settings},
          {"run", task.run->name},
          {"prompt_id", task.prompt->id},
          {"seed", task.seed},
          {"against", experiment.against},
          {"judge", experiment.judge->name()},
          {"first", outcome_name(judgement.first)},
          {"second", outcome_name(judgement.second)},
          {"verdict", outcome_name(judgement.verdict())}};
}

}  // namespace

std::vector<Failure> judge_all(const Experiment& experiment, ResultsFile& results,
                               const ExperimentOptions& options, std::stop_token stop) {
  if (experiment.judge == nullptr) return {};
  const auto responses = responses_in(results);
  const Left left = left_to_judge(experiment, results, responses);
  for (std::size_t i = 0; options.done && i < left.unanswered; ++i) options.done();
  std::vector<Failure> failures;
  std::mutex mutex;
  run_parallel(left.tasks.size(), options.workers, stop, [&](std::size_t) {
    const std::shared_ptr<JudgeSession> judge = experiment.judge->open(options.session);
    return [&, judge](std::size_t i) {
      const Task& task = left.tasks[i];
      try {
        const Judgement judgement =
            judge_both(*judge, *task.prompt, *task.response, *task.against, stop);
        const std::lock_guard lock(mutex);
        results.append(judgement_id(task.id), judgement_row(experiment, task, judgement).dump());
      } catch (const Error& e) {
        if (e.kind() == ErrorKind::interrupted) return;
        const std::string reason = fmt::format("judging run '{}', prompt '{}': {}", task.run->name,
                                               task.prompt->id, e.what());
        if (e.kind() != ErrorKind::input) throw Error(e.kind(), reason);
        const std::lock_guard lock(mutex);
        failures.push_back({judgement_id(task.id), reason});
      }
      if (options.done) options.done();
    };
  });
  return failures;
}

}  // namespace tq
