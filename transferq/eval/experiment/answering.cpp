#include "transferq/eval/experiment/answering.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "transferq/core/error.hpp"
#include "transferq/eval/experiment/changes.hpp"
#include "transferq/eval/parallel.hpp"
#include "transferq/eval/row.hpp"

namespace tq {
namespace {

// One answer that is still to be made.
struct Task {
  const ExperimentRun* run;
  std::uint64_t seed;
  const Prompt* prompt;
  std::string id;
};

// Run by run, so that a worker keeps the sessions of one run only.
std::vector<Task> tasks_left(const Experiment& experiment, const ResultsFile& results) {
  std::vector<Task> tasks;
  for (const ExperimentRun& run : experiment.runs) {
    for (const std::uint64_t seed : experiment.seeds) {
      for (const Prompt& prompt : experiment.prompts) {
        std::string id = response_id(run.name, seed, prompt.id);
        if (!results.finished(id)) tasks.push_back({&run, seed, &prompt, std::move(id)});
      }
    }
  }
  return tasks;
}

// Answers tasks one at a time. Not thread-safe.
class AnsweringWorker {
 public:
  AnsweringWorker(const Experiment& experiment, const ExperimentOptions& options)
      : experiment_(experiment),
        options_(options),
        measuring_(experiment.measures, options.session) {}

  nlohmann::ordered_json answer(const Task& task, std::stop_token stop) {
    prepare(task);
    ChangedSpans changes;
    const Generated generated =
        worker_->generate(*task.prompt, stop, [&](const Step& step) { changes.add(step); });
    if (options_.answered) options_.answered(task.run->name, generated.decoded);
    nlohmann::ordered_json row =
        make_row(*task.prompt, generated, {task.run->decoder, task.seed, experiment_.settings}, {});
    row["id"] = task.id;
    row["run"] = task.run->name;
    row["prompt_id"] = task.prompt->id;
    row["changed"] = changes.spans(generated.decoded.text);
    row["metrics"] = measuring_.measure(*task.prompt, generated.decoded, stop);
    return row;
  }

 private:
  void prepare(const Task& task) {
    if (run_ == task.run && setup_->seed == task.seed) return;
    worker_.reset();
    run_ = task.run;
    setup_ = task.run->setup;
    setup_->seed = task.seed;
    worker_.emplace(*setup_, task.run->session);
  }

  const Experiment& experiment_;
  const ExperimentOptions& options_;
  MeasuringWorker measuring_;
  const ExperimentRun* run_ = nullptr;
  std::optional<Setup> setup_;
  std::optional<Worker> worker_;
};

nlohmann::ordered_json failure_row(const Experiment& experiment, const Task& task,
                                   const std::string& reason) {
  return {{"id", failure_id(task.id)}, {"settings", experiment.settings},
          {"run", task.run->name},     {"prompt_id", task.prompt->id},
          {"seed", task.seed},         {"error", reason}};
}

}  // namespace

std::vector<Failure> answer_all(const Experiment& experiment, ResultsFile& results,
                                const ExperimentOptions& options, std::stop_token stop) {
  const std::vector<Task> tasks = tasks_left(experiment, results);
  std::vector<Failure> failures;
  std::mutex mutex;  // of the failures and the file
  run_parallel(tasks.size(), options.workers, stop, [&](std::size_t) {
    auto worker = std::make_shared<AnsweringWorker>(experiment, options);
    return [&, worker](std::size_t i) {
      const Task& task = tasks[i];
      try {
        const nlohmann::ordered_json row = worker->answer(task, stop);
        const std::lock_guard lock(mutex);
        results.append(task.id, row.dump());
      } catch (const Error& e) {
        if (e.kind() == ErrorKind::interrupted) return;
        const std::string reason =
            fmt::format("run '{}', prompt '{}': {}", task.run->name, task.prompt->id, e.what());
        if (e.kind() != ErrorKind::input) throw Error(e.kind(), reason);
        const std::lock_guard lock(mutex);  // this prompt's own fault: the others go on
        failures.push_back({task.id, reason});
        const std::string id = failure_id(task.id);
        if (!results.finished(id))
          results.append(id, failure_row(experiment, task, e.what()).dump());
      }
      if (options.done) options.done();
    };
  });
  return failures;
}

}  // namespace tq
