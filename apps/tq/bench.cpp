// tq bench: what a token costs, beside plain decoding and the engine alone.
#include "bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "commands.hpp"
#include "flags.hpp"
#include "profiles.hpp"
#include "setup_file.hpp"
#include "signals.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/eval/bench/tune.hpp"
#include "transferq/eval/experiment/machine.hpp"
#include "transferq/policy/catalog.hpp"
#include "tuning.hpp"
#include "warnings.hpp"
#include "write_file.hpp"

namespace tq::app {
namespace {

struct BenchFlags {
  DecodingFlags decoding;
  std::vector<std::size_t> lengths{50, 200};
  std::vector<std::size_t> together{1};
  std::size_t tokens = 16;
  std::string compare, html;
  bool tune = false;
  bool json = false;
};

void check(const CLI::App& command, const BenchFlags& f) {
  const auto refuse = [](const std::string& message) { throw Error(ErrorKind::usage, message); };
  if (command.count("--max-tokens") > 0) {
    refuse("a bench stops when enough is measured; give --tokens instead of --max-tokens");
  }
  if (f.tokens == 0) refuse("--tokens 0 leaves nothing to measure; give 1 or more");
  const auto above_0 = [](std::size_t n) { return n > 0; };
  if (!std::all_of(f.lengths.begin(), f.lengths.end(), above_0)) {
    refuse("--lengths has a 0; a prompt has tokens");
  }
  if (!std::all_of(f.together.begin(), f.together.end(), above_0)) {
    refuse("--together has a 0; give 1 or more prompts");
  }
  if (f.tune) {
    for (const char* flag :
         {"--html", "--compare", "--together", "--flash-attention", "--micro-batch"}) {
      if (command.count(flag) > 0) {
        refuse(
            fmt::format("--tune measures the engine alone, one prompt at a time, with flash "
                        "attention and without, in several micro-batches; leave out {}",
                        flag));
      }
    }
  }
  if (!f.html.empty()) check_out(f.html);
}

// The command as it was typed, where the system tells: proc(5).
std::string command_line() {
  std::ifstream in("/proc/self/cmdline", std::ios::binary);
  std::string out = "tq", word;
  std::getline(in, word, '\0');  // the program's own path
  while (std::getline(in, word, '\0')) {
    if (!word.empty() && word.find_first_of(" '\"$\\;&|<>(){}*?!#~") == std::string::npos) {
      out += " " + word;
      continue;
    }
    out += " '";
    for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += "'";
  }
  return out;
}

// Plain decoding of the reference, and the decoder, if it is another.
struct Contender {
  std::string name;
  Run run;
};

std::vector<Contender> contenders(BenchFlags& f, ModelStore& models) {
  DecodingFlags& wanted = f.decoding;
  // Room for a whole roll-out behind the last measured token.
  wanted.max_tokens = f.tokens + wanted.decoder.commit + 2;
  Run run = prepare(wanted, models);  // which may choose the format for both
  run.setup.max_tokens += wanted.decoder.horizon + wanted.decoder.block;
  warn(run.warnings);
  std::vector<Contender> out;
  if (wanted.decoder.name != "greedy") {
    DecodingFlags plain = wanted;
    plain.decoder = DecoderOptions{};
    plain.baseline.clear();
    plain.reward.clear();
    plain.baseline_reward.clear();
    plain.value.clear();
    plain.horizon.reset();
    plain.alpha_given = false;
    out.push_back({"plain", prepare(plain, models)});
  }
  out.push_back({wanted.decoder.name, std::move(run)});
  return out;
}

class Bench {
 public:
  Bench(const BenchFlags& flags, std::vector<Contender> contenders, std::stop_token stop)
      : f_(flags), contenders_(std::move(contenders)), stop_(std::move(stop)) {}

  // Shows each row as it is there.
  std::vector<BenchRow> run(const std::function<void(const BenchRow&)>& show) {
    warm_up();
    for (const std::size_t length : f_.lengths) {
      for (const std::size_t together : f_.together) at(length, together, show);
    }
    return std::move(rows_);
  }

 private:
  const Setup& setup() const { return contenders_.back().run.setup; }
  // Whose batches are the decoder's own.
  const Policy& policy() const {
    const bool baseline = setup().baseline &&
                          setup().decoder->roles().grows == Proposal::baseline &&
                          setup().decoder->roles().baseline;
    return baseline ? *setup().baseline : setup().reference;
  }

  BenchOptions options(std::size_t together) const {
    BenchOptions out;
    out.tokens = f_.tokens;
    out.session = contenders_.back().run.session;
    const auto threads = static_cast<std::size_t>(out.session.threads);
    out.workers = std::max<std::size_t>(1, std::min(threads, together));
    out.session.threads = static_cast<int>(std::max<std::size_t>(1, threads / out.workers));
    out.stop = stop_;
    return out;
  }

  // The weights are read from the disk by the first who needs them.
  void warm_up() const {
    measure_decoding(contenders_.front().run.setup, {bench_prompt(policy(), f_.lengths.front(), 0)},
                     options(1));
  }

  void at(std::size_t length, std::size_t together,
          const std::function<void(const BenchRow&)>& show) {
    std::vector<Prompt> prompts;
    for (std::size_t i = 0; i < together; ++i) prompts.push_back(bench_prompt(policy(), length, i));
    const std::size_t tokens = policy().encode(prompts.front()).size();
    const BenchOptions how = options(together);
    std::optional<double> plain;
    std::size_t first = rows_.size();
    for (const Contender& c : contenders_) {
      BenchRow row{c.name, tokens, together, "", measure_decoding(c.run.setup, prompts, how),
                   {},     {}};
      if (plain) row.over_plain = row.measured.seconds / *plain;
      if (!plain) plain = row.measured.seconds;
      rows_.push_back(std::move(row));
    }
    const BatchShape shape = batch_shape(f_.decoding.decoder);
    const auto evaluations = static_cast<std::size_t>(rows_.back().measured.evaluations *
                                                      static_cast<double>(f_.tokens));
    BenchRow engine{"engine",
                    tokens,
                    together,
                    fmt::format("{} x {}", shape.width, shape.depth),
                    measure_engine(policy(), prompts, shape, evaluations, how),
                    {},
                    {}};
    rows_.back().of_engine =
        rows_.back().measured.evaluations_a_second / engine.measured.evaluations_a_second;
    rows_.push_back(std::move(engine));
    if (!f_.compare.empty() && together == 1) {
      BenchRow row{
          "compared",
          tokens,
          1,
          "",
          run_compared(f_.compare, policy().render(prompts.front()), tokens, f_.tokens, stop_),
          {},
          {}};
      row.over_plain = row.measured.seconds / *plain;
      rows_.push_back(std::move(row));
    }
    for (; first < rows_.size(); ++first) show(rows_[first]);
  }

  const BenchFlags& f_;
  std::vector<Contender> contenders_;
  std::stop_token stop_;
  std::vector<BenchRow> rows_;
};

std::string tune_line(const TuneRow& row, double first) {
  return fmt::format("  {:<22} {:>8.0f} {:>8.2f} {:>12.4f}{}\n", row.what, row.evaluations_a_second,
                     row.evaluations_a_second / first, row.differs,
                     row.right ? "" : "  wrong: not taken");
}

nlohmann::ordered_json tune_json(const TuneResult& result, const std::vector<TuneRow>& weights,
                                 const Model& model) {
  auto rows = nlohmann::ordered_json::array();
  for (const TuneRow& row : result.rows) {
    rows.push_back({{"what", row.what},
                    {"evaluations_per_second", row.evaluations_a_second},
                    {"differs", row.differs},
                    {"right", row.right}});
  }
  auto other = nlohmann::ordered_json::array();
  for (const TuneRow& row : weights) {
    other.push_back({{"model", row.what},
                     {"evaluations_per_second", row.evaluations_a_second},
                     {"differs", row.differs}});
  }
  return {{"model", model.name()},
          {"engine", llama::engine_version()},
          {"machine", machine_facts()},
          {"rows", std::move(rows)},
          {"other_weights", std::move(other)},
          {"threads", result.best.threads},
          {"flash_attention", flash_name(result.best.flash)},
          {"micro_batch", result.best.micro_batch},
          {"kept_in", tuning_file().string()}};
}

// Measures the engine's settings at the decoder's batches and keeps the best ones. Other weights of
// the model that are on this machine are measured beside: they give other answers, so they are the
// user's choice.
void run_tune(const BenchFlags& f, const Contender& contender, ModelStore& models,
              std::stop_token stop) {
  const Policy& policy = contender.run.setup.reference;
  const BatchShape shape = batch_shape(f.decoding.decoder);
  BenchOptions options;
  options.session = contender.run.session;
  options.session.flash = Flash::automatic;  // not what an earlier tuning chose
  options.session.micro_batch = kMicroBatch;
  options.stop = std::move(stop);
  if (!f.json) {
    print(fmt::format("{}, batches of {} x {} behind {} tokens\n  {:<22} {:>8} {:>8} {:>12}\n",
                      policy.model().name(), shape.width, shape.depth, f.lengths.front(), "",
                      "evals/s", "x first", "differs by"));
  }
  double first = 0;
  const Prompt prompt = bench_prompt(policy, f.lengths.front(), 0);
  const std::size_t evaluations =
      std::max<std::size_t>(f.tokens * shape.width * shape.depth / 4, 1);
  const TuneResult result =
      tune(policy, prompt, shape, evaluations, options, [&](const TuneRow& row) {
        if (first == 0) first = row.evaluations_a_second;
        if (!f.json) print(tune_line(row, first));
      });
  keep_tuning(f.decoding, policy.model(), result.best);
  if (!f.json) {
    print(
        fmt::format("kept for this model: flash attention {}, micro-batch {} ({}); the fastest "
                    "for one prompt at a time is --threads {}\n",
                    flash_name(result.best.flash), result.best.micro_batch, tuning_file().string(),
                    result.best.threads));
  }
  options.session = result.best;
  std::vector<TuneRow> weights;
  for (const CatalogEntry& entry : other_weights(policy.model().name())) {
    try {
      const Policy other(models.model(entry.name), policy.format(), policy.adapter(),
                         policy.system());
      weights.push_back(measure_setting(std::string(entry.name), other, prompt, shape, evaluations,
                                        options, result.expected));
    } catch (const Error& error) {  // such as a file that was cut off: it is not what was asked for
      if (error.kind() == ErrorKind::interrupted) throw;
      warn({fmt::format("{} was not measured: {}", entry.name, error.what())});
      continue;
    }
    TuneRow shown = weights.back();
    shown.what = "--model " + shown.what;
    shown.right = true;  // it is another model, and is said to be one
    if (!f.json) print(tune_line(shown, first));
  }
  if (f.json) print(tune_json(result, weights, policy.model()).dump() + "\n");
}

void run_bench(CLI::App& command, BenchFlags& f) {
  const std::stop_token stop = stop_on_signals();
  if (!f.decoding.setup.empty()) apply_setup_file(command, f.decoding.setup);
  ModelStore models({f.decoding.gpu_layers});
  apply_profile(command, f.decoding.profile, f.decoding.budget,
                [&] { return time_passes(f.decoding, models, stop); });
  check(command, f);
  std::vector<Contender> all = contenders(f, models);
  if (f.tune) return run_tune(f, all.back(), models, stop);
  Bench bench(f, std::move(all), stop);
  BenchReport report;
  report.model = models.model(f.decoding.model)->name();
  report.engine = llama::engine_version();
  report.command = command_line();
  report.machine = machine_facts();
  bool begun = false;
  report.rows = bench.run([&](const BenchRow& row) {
    if (f.json) return;
    if (!begun) print(bench_header());
    begun = true;
    print(bench_line(row));
  });
  if (f.json) print(bench_json(report).dump() + "\n");
  if (!f.html.empty()) write_file(f.html, bench_page(report));
}

}  // namespace

void add_bench(CLI::App& app) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* command = app.add_subcommand(
      "bench", "Measure what a token costs, beside plain decoding and the engine alone");
  command->add_option("--lengths", flags->lengths, "Tokens of the prompts, about")
      ->delimiter(',')
      ->option_text("N,N,... [50,200]")
      ->check(count());
  command->add_option("--together", flags->together, "Prompts answered in one go, one a core")
      ->delimiter(',')
      ->option_text("N,N,... [1]")
      ->check(count());
  command->add_option("--tokens", flags->tokens, "Tokens to be measured of each prompt")
      ->option_text("N [16]")
      ->check(count());
  command
      ->add_option("--compare", flags->compare,
                   "Another implementation, measured beside: a command that reads {\"prompt\", "
                   "\"prompt_tokens\", \"tokens\"} and prints {\"tokens\", \"seconds\"} (docs)")
      ->option_text("COMMAND");
  command->add_option("--html", flags->html, "Write plots to this page")->option_text("FILE.html");
  command->add_flag("--tune", flags->tune,
                    "Measure which settings of the engine are the fastest for this model, on "
                    "batches of the decoder's shape, and keep them for later commands");
  command->add_flag("--json", flags->json, "Print one object of JSON");
  add_decoding_flags(*command, flags->decoding);
  command->footer(
      "Examples:\n"
      "  tq bench --decoder tq --reward head=sentiment\n"
      "  tq bench --decoder tq --reward head=sentiment --lengths 50,200,800 --together 1,4 --html "
      "bench.html\n"
      "  tq bench --tune --model smollm2 --decoder tq --reward head=sentiment\n");
  command->callback([command, flags] { run_bench(*command, *flags); });
}

}  // namespace tq::app
