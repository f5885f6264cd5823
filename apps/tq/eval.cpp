// tq eval: an experiment from a setup file.
#include <fmt/format.h>

#include <algorithm>

#include "commands.hpp"
#include "eval_header.hpp"
#include "eval_setup.hpp"
#include "flags.hpp"
#include "signals.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/eval/data/prompt_set.hpp"
#include "transferq/eval/experiment/answering.hpp"
#include "transferq/eval/experiment/experiment.hpp"
#include "transferq/eval/experiment/judging.hpp"
#include "transferq/eval/experiment/shard.hpp"
#include "transferq/reward/reward_list.hpp"
#include "warnings.hpp"

namespace tq::app {
namespace {

struct EvalFlags : SessionFlags {
  std::string file;
  std::string out;
  std::string shard = "1/1";
  std::size_t together = 0;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  tq eval setups/small.toml --out small.jsonl\n"
    "      all that the setup names; type it again after a crash and it goes on\n"
    "  tq eval setups/small.toml --shard 3/16 --out small-3.jsonl\n"
    "      the third of sixteen parts, to be run side by side; `tq report small-*.jsonl` joins "
    "them\n";

// Everything that a row may depend on.
std::string fingerprint(const EvalSetup& setup, const PromptSet& data,
                        const std::vector<std::string>& runs, const Experiment& experiment) {
  nlohmann::ordered_json all = {
      {"data", {data.sha256, data.format, setup.sample, setup.sample_seed}},
      {"seeds", setup.seeds},
      {"runs", runs},
      {"against", setup.against},
      {"measures", experiment.measures.fingerprint()},
      {"judge", experiment.judge ? experiment.judge->fingerprint() : ""},
      {"version", TQ_VERSION},
      {"engine", llama::engine_version()}};
  return sha256(all.dump()).substr(0, 16);
}

// Loads what the runs answer with. Returns the fingerprint of each.
std::vector<std::string> add_runs(const EvalSetup& setup, ModelStore& models,
                                  Experiment& experiment) {
  std::vector<std::string> settings;
  for (RunSetup run : setup.runs) {
    try {
      Run ready = prepare(run.flags, models);
      if (ready.setup.decoder->needs_reward() && ready.setup.reward == nullptr) {
        throw Error(ErrorKind::usage, "this decoder works towards a reward; give it one");
      }
      warn(ready.warnings, run.name);
      settings.push_back(run.name + " " + ready.settings);
      experiment.runs.push_back(
          {run.name, run.flags.decoder.name, std::move(ready.setup), std::move(ready.session)});
    } catch (const Error& e) {
      throw Error(e.kind(), fmt::format("run '{}': {}", run.name, e.what()));
    }
  }
  return settings;
}

// Loads what measures and judges. Heads on the reference of `plain`, the run that others are
// compared with, share its model.
void add_measures(const EvalSetup& setup, ModelStore& models, const Policy& plain, Format format,
                  Experiment& experiment) {
  Measures& measures = experiment.measures;
  for (const auto& [name, list] : setup.rewards) {
    try {
      measures.rewards[name] = make_reward(list, models, plain.shared_model(), format);
    } catch (const Error& e) {
      throw Error(e.kind(), fmt::format("unseen reward '{}': {}", name, e.what()));
    }
  }
  if (!setup.embedding.empty()) {
    measures.coherence = std::make_shared<CoherenceMeter>(models.encoder(setup.embedding));
  }
  if (setup.perplexity) measures.perplexity = plain;
  if (setup.judge) {
    experiment.judge = make_pair_judge(*setup.judge, models, format);
    experiment.against = setup.against;
  }
}

std::string failure_line(const std::vector<Failure>& failures, const std::string& out) {
  const auto first = std::min_element(failures.begin(), failures.end(),
                                      [](const auto& a, const auto& b) { return a.id < b.id; });
  const std::size_t more = failures.size() - 1;
  return fmt::format("{}{}; all else is in {}, and the same command tries again", first->reason,
                     more > 0 ? fmt::format("; {} more failed", more) : "", out);
}

void run_eval(const EvalFlags& flags) {
  const std::stop_token stop = stop_on_signals();
  const Shard part = parse_shard(flags.shard);
  if (flags.out.empty()) {
    throw Error(ErrorKind::usage,
                "--out FILE.jsonl is missing: rows are appended to it as they are finished");
  }
  const EvalSetup setup = read_eval_setup(flags.file, flags);
  PromptSet data = read_prompt_set(setup.prompts, setup.prompts_format);
  try {
    if (setup.sample > 0) sample_prompts(data, setup.sample, setup.sample_seed);
  } catch (const Error& e) {
    throw Error(e.kind(), fmt::format("{}: {}", setup.prompts.string(), e.what()));
  }

  ModelStore models({setup.runs.front().flags.gpu_layers});
  Experiment experiment;
  experiment.seeds = setup.seeds;
  experiment.prompts = prompts_of(data.prompts, part);
  const std::vector<std::string> settings = add_runs(setup, models, experiment);
  const std::size_t plain = setup.index_of(setup.against);
  add_measures(setup, models, experiment.runs[plain].setup.reference,
               format_of(setup.runs[plain].flags), experiment);
  experiment.settings = fingerprint(setup, data, settings, experiment);

  ResultsFile results(flags.out, experiment.settings, expected_rows(experiment));
  const std::string shard = part.count > 1 ? " --shard " + shard_text(part) : "";
  nlohmann::ordered_json about = eval_header(setup, data, experiment);
  about["shard"] = shard_text(part);
  about["command"] = fmt::format("tq eval {}{} --out {}", flags.file, shard, flags.out);
  write_header(experiment, results, about);
  const Extent extent = extent_of(experiment, results);
  Progress progress(extent.all, extent.all - extent.left);
  ExperimentOptions options;
  options.session = experiment.runs[plain].session;
  const auto threads = static_cast<std::size_t>(options.session.threads);
  options.workers = std::max<std::size_t>(
      1, std::min({flags.together > 0 ? flags.together : threads, threads, extent.left}));
  const int each = static_cast<int>(std::max<std::size_t>(1, threads / options.workers));
  options.session.threads = each;
  for (ExperimentRun& run : experiment.runs) run.session.threads = each;
  options.done = [&] { progress.advance(); };
  SampleWatch watch(&progress);
  options.answered = [&](const std::string& run, const Decoded& decoded) {
    watch.see(decoded, run);
  };
  std::vector<Failure> failures = answer_all(experiment, results, options, stop);
  if (!stop.stop_requested()) {
    const std::vector<Failure> more = judge_all(experiment, results, options, stop);
    failures.insert(failures.end(), more.begin(), more.end());
  }
  if (stop.stop_requested()) {
    throw Error(
        ErrorKind::interrupted,
        fmt::format("{}; the finished rows are in {}, and the same command goes on from there",
                    interruption(), flags.out));
  }
  if (!failures.empty()) throw Error(ErrorKind::input, failure_line(failures, flags.out));
}

}  // namespace

void add_eval(CLI::App& app) {
  auto flags = std::make_shared<EvalFlags>();
  CLI::App* command =
      app.add_subcommand("eval", "Compare decoders on many prompts, as a setup file describes");
  command->add_option("setup-file", flags->file, "The setup, a TOML file (docs/eval.md)")
      ->option_text("SETUP.toml")
      ->required();
  command
      ->add_option("--out", flags->out,
                   "Append rows to this file; what is finished is skipped when it is there already")
      ->option_text("RESULTS.jsonl");
  command->add_option("--shard", flags->shard, "Only this part of the prompts")
      ->option_text("I/N [1/1]");
  command->add_option("--together", flags->together, "Prompts decoded side by side")
      ->option_text("N [one a core]")
      ->check(count());
  command->add_option("--threads", flags->threads, "Threads, at most one a core")
      ->option_text("N [all cores]")
      ->check(count());
  command
      ->add_option("--gpu-layers", flags->gpu_layers, "Layers on a GPU, where the engine has one")
      ->option_text("N [all]");
  command->footer(kExamples);
  command->callback([flags] { run_eval(*flags); });
}

}  // namespace tq::app
