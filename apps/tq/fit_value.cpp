// tq fit --value: a learned value, from the roll-outs that runs have logged.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "fit.hpp"
#include "flags.hpp"
#include "signals.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/engine/llama/value_file.hpp"
#include "transferq/fit/head_fit.hpp"
#include "transferq/fit/level_fit.hpp"
#include "transferq/fit/value_fit.hpp"
#include "transferq/policy/model_store.hpp"
#include "transferq/reward/kind.hpp"
#include "transferq/reward/reward_list.hpp"
#include "write_file.hpp"

namespace tq::app {
namespace {

// Held out, below which the check says nothing.
constexpr std::size_t kFewestPrompts = 5;

// What a fit found out, beside the file that it wrote.
struct ValueReport {
  std::size_t runs = 0;
  ValueRows rows;
  Split split;  // of steps
  ValueFit fit;
  ValueCheck check;
  LevelHead levels;
  double level_l2 = 0, level_loss = 0;  // the loss on the steps held out
};

std::vector<LoggedRun> read_runs(const std::string& files, std::string& digest) {
  std::vector<LoggedRun> runs;
  std::istringstream list(files);
  for (std::string file; std::getline(list, file, ',');) {
    digest += sha256_file(file);
    for (LoggedRun& run : read_logged_runs(file)) runs.push_back(std::move(run));
  }
  if (runs.empty()) {
    throw Error(ErrorKind::input,
                fmt::format("{} has no step with values of roll-outs; log them with `tq generate "
                            "--decoder tq --prompts FILE --explain --out FILE`",
                            files));
  }
  return runs;
}

std::vector<std::size_t> rows_of(const ValueRows& rows, std::span<const std::size_t> steps) {
  std::vector<std::size_t> out;
  for (const std::size_t step : steps) {
    for (std::size_t row = rows.first[step]; row < rows.first[step + 1]; ++row) out.push_back(row);
  }
  return out;
}

// The penalty of the levels is the one that does best on a part of the training steps.
void fit_distribution(ValueReport& r, std::size_t levels, std::uint64_t seed) {
  ValueRows training;
  for (const std::size_t step : r.split.training) training.groups.push_back(r.rows.groups[step]);
  const Split inner = hold_out(training.groups, 0.25, seed);
  const auto named = [&](const std::vector<std::size_t>& places) {
    std::vector<std::size_t> steps;
    for (const std::size_t place : places) steps.push_back(r.split.training[place]);
    return rows_of(r.rows, steps);
  };
  const auto fitted = named(inner.training), tested = named(inner.held_out);
  double least = std::numeric_limits<double>::infinity();
  for (const double l2 : {1.0, 0.1, 0.01}) {
    const LevelHead head = fit_levels(r.rows.states, r.rows.values, fitted, levels, l2);
    const double loss = level_loss(head, r.rows.states, r.rows.values, tested);
    if (loss < least) r.level_l2 = l2;
    least = std::min(least, loss);
  }
  r.levels = fit_levels(r.rows.states, r.rows.values, rows_of(r.rows, r.split.training), levels,
                        r.level_l2);
  r.level_loss =
      level_loss(r.levels, r.rows.states, r.rows.values, rows_of(r.rows, r.split.held_out));
}

std::string interval(const Estimate& e) {
  return fmt::format("{:.3f} ({:.3f} to {:.3f})", e.mean, e.low, e.high);
}

std::string text_of(const FitFlags& f, const ValueReport& r) {
  const ValueCheck& c = r.check;
  std::string out = fmt::format(
      "{}: the value of {} steps in {} runs ({} candidates), l2 {:.3g}\n"
      "  held out     {} steps of {} prompts\n"
      "  its pick     {} above the likeliest candidate, by the roll-outs' values\n"
      "  one-step     {}, by the reward of the text so far\n"
      "  best pick    {}\n"
      "  difference   {}\n"
      "  correlation  {:.3f} with the roll-outs' values within a step; of the one-step value "
      "{:.3f}\n",
      f.out, r.split.training.size(), r.runs, r.rows.rows(), r.fit.l2, c.steps, c.prompts,
      interval(c.gain), interval(c.gain_one_step), interval(c.gain_best), interval(c.over_one_step),
      c.correlation, c.correlation_one_step);
  if (!r.levels.levels.empty()) {
    out += fmt::format(
        "  distribution {} levels, l2 {:.3g}: log loss {:.3f}; {:.3f} if all were "
        "as likely\n",
        r.levels.levels.size(), r.level_l2, r.level_loss,
        std::log(static_cast<double>(r.levels.levels.size())));
  }
  return out + fmt::format("  evaluated    {} tokens\n", r.rows.evaluations);
}

nlohmann::ordered_json json_of(const FitFlags& f, const ValueReport& r) {
  const auto estimate = [](const Estimate& e) {
    return nlohmann::ordered_json{{"mean", e.mean}, {"low", e.low}, {"high", e.high}};
  };
  const ValueCheck& c = r.check;
  nlohmann::ordered_json out;
  out["out"] = f.out;
  out["runs"] = r.runs;
  out["candidates"] = r.rows.rows();
  out["l2"] = r.fit.l2;
  out["seed"] = f.seed;
  out["fitted"] = r.split.training.size();
  out["held_out"] = c.steps;
  out["held_out_prompts"] = c.prompts;
  out["correlation"] = c.correlation;
  out["correlation_one_step"] = c.correlation_one_step;
  out["gain"] = estimate(c.gain);
  out["gain_one_step"] = estimate(c.gain_one_step);
  out["gain_best"] = estimate(c.gain_best);
  out["over_one_step"] = estimate(c.over_one_step);
  out["levels"] = r.levels.levels.size();
  if (!r.levels.levels.empty()) out["level_loss"] = r.level_loss;
  out["evaluations"] = r.rows.evaluations;
  return out;
}

ValueFile file_of(const FitFlags& f, const ValueReport& r, const Policy& policy,
                  const RewardInfo& reward, const std::string& data) {
  ValueFile file;
  file.name = head_name(f);
  file.base_name = policy.model().name();
  file.base_identity = policy.model().identity();
  file.reward = reward.name;
  file.reward_identity = reward.fingerprint;
  file.provenance =
      fmt::format("tq fit --value on {} steps of {}", r.split.training.size(), file_names(f.value));
  file.weights = r.fit.mean.weights;
  file.bias = r.fit.mean.bias;
  file.levels = r.levels.levels;
  file.level_biases = r.levels.biases;
  file.level_weights = r.levels.weights;
  file.training = {describe_policy(policy),
                   data,
                   TQ_VERSION,
                   r.fit.l2,
                   f.seed,
                   r.split.training.size(),
                   r.check.steps,
                   r.check.correlation,
                   r.check.gain.mean,
                   r.check.gain_one_step.mean,
                   r.check.gain_best.mean};
  return file;
}

}  // namespace

void fit_on_logs(const FitFlags& f) {
  const std::stop_token stop = stop_on_signals();
  const std::optional<double> l2 = strength(f.l2);
  if (f.reward.empty()) {
    throw Error(ErrorKind::usage,
                "--reward LIST is missing: what the roll-outs were scored by; a value has to beat "
                "the reward of the text so far");
  }
  for (const auto& [given, flag] : {std::pair{!f.test.empty(), "--test"},
                                    {f.limit > 0, "--limit"},
                                    {f.loss != "auto", "--loss"},
                                    {f.pooling != "auto", "--pooling"},
                                    {!f.text.empty(), "--text"}}) {
    if (!given) continue;
    throw Error(ErrorKind::usage,
                fmt::format("{} is for heads; --value does not read it, leave it out", flag));
  }
  if (f.levels == 1) throw Error(ErrorKind::usage, "--levels 1 is no distribution; give 2 or more");
  check_out(f.out);
  ModelStore models({f.gpu_layers});
  const Format format = f.format == "raw" ? Format::raw : Format::chat;
  const Policy policy = models.policy(f.model, "--model", format);
  const auto reward = make_reward(f.reward, models, policy.shared_model(), format);
  std::string digests;
  const std::vector<LoggedRun> runs = read_runs(f.value, digests);

  ValueReport r;
  r.runs = runs.size();
  {
    Progress progress(runs.size(), 0);
    r.rows =
        read_value_states(runs, policy, *reward, session_of(f), stop, [&] { progress.advance(); });
  }
  r.split = hold_out(r.rows.groups, f.holdout, f.seed);
  r.fit = fit_value(r.rows, r.split.training, {l2, f.folds, f.seed});
  r.check = check_value(r.rows, r.split.held_out, r.fit.mean, f.seed);
  if (r.check.prompts < kFewestPrompts && !f.force) {
    throw Error(ErrorKind::input,
                fmt::format("{} prompts held out are too few to check it on; log more, give a "
                            "larger --holdout, or write it unchecked with --force",
                            r.check.prompts));
  }
  if (r.check.over_one_step.low <= 0 && !f.force) {
    throw Error(ErrorKind::input,
                fmt::format("on {} prompts held out its picks are worth {} more than those of the "
                            "reward of the text so far, which is no gain; log more prompts, by a "
                            "decoder like the one that will use it, or write it all the same with "
                            "--force",
                            r.check.prompts, interval(r.check.over_one_step)));
  }
  if (f.levels > 0) fit_distribution(r, f.levels, f.seed);
  write_value(f.out, file_of(f, r, policy, reward->info(), sha256(digests)));
  print(f.json ? json_of(f, r).dump() + "\n" : text_of(f, r));
}

}  // namespace tq::app
