// tq generate: answers one prompt, or a file of them.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>

#include "commands.hpp"
#include "explain.hpp"
#include "flags.hpp"
#include "profiles.hpp"
#include "setup_file.hpp"
#include "signals.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/core/text.hpp"
#include "transferq/eval/data/prompt_set.hpp"
#include "transferq/eval/parallel.hpp"
#include "transferq/eval/results_file.hpp"
#include "transferq/eval/row.hpp"
#include "warnings.hpp"

namespace tq::app {
namespace {

struct GenerateFlags {
  DecodingFlags decoding;
  std::string prompt;
  std::string prompts;
  std::string out;
  std::size_t together = 0;
  bool json = false;
  bool explain = false;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  tq generate \"Describe a rainy day.\"\n"
    "      plain decoding with the default model\n"
    "  tq generate \"Describe a rainy day.\" --decoder tq --reward head=sentiment --explain\n"
    "      Transfer Q* towards positive sentiment, each step explained\n"
    "  tq generate \"Give advice.\" --decoder tq --baseline \"system=Be brief\" --reward "
    "length=20\n"
    "      roll-outs by the same model under a system prompt\n"
    "  tq generate --prompts prompts.jsonl --out results.jsonl --decoder best-of --samples 8 "
    "--reward head=sentiment\n"
    "      a file of prompts; type it again after a crash and it goes on\n";

std::vector<Prompt> load_prompts(const GenerateFlags& f) {
  if (!f.prompts.empty() && !f.prompt.empty()) {
    throw Error(ErrorKind::usage, "give either a prompt or --prompts FILE, not both");
  }
  if (!f.prompts.empty()) return read_prompt_set(f.prompts, "auto", Repeats::kept).prompts;
  std::string text = f.prompt;
  if (text == "-") text.assign(std::istreambuf_iterator<char>(std::cin), {});
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw Error(ErrorKind::usage,
                "the prompt is empty; write it in quotes behind `tq generate`, or "
                "give --prompts FILE");
  }
  if (const std::size_t at = invalid_utf8(text); at != std::string::npos) {
    throw Error(ErrorKind::input, fmt::format("the prompt is not valid UTF-8 at byte {}", at + 1));
  }
  if (const std::size_t at = text.find('\0'); at != std::string::npos) {
    throw Error(ErrorKind::input,
                fmt::format("the prompt holds a NUL character at byte {}; take it out", at + 1));
  }
  return {make_prompt("0", text)};
}

std::string summary(const Generated& g) {
  const Evaluations& e = g.evaluations;
  const double n = static_cast<double>(std::max<std::size_t>(g.decoded.tokens.size(), 1));
  const auto sum = static_cast<double>(e.policy + e.reference + e.reward);
  const char* kind = g.decoded.kl_kind == KlKind::bound      ? "at most "
                     : g.decoded.kl_kind == KlKind::estimate ? "about "
                                                             : "";
  std::string out;
  if (g.decoded.reward) out += fmt::format("reward {:.3f} | ", *g.decoded.reward);
  return out + fmt::format(
                   "KL {}{:.3f} | {} tokens | {:.1f} evaluations a token, {} for prompts | "
                   "{:.2f} s, {:.3f} s a token\n",
                   kind, g.decoded.kl_to_reference, g.decoded.tokens.size(), sum / n, e.prompt,
                   g.seconds, g.seconds / n);
}

// Prints whole characters as soon as their last byte is there; half a one at the end is no text.
class TextStream {
 public:
  explicit TextStream(bool colour) : colour_(colour) {}
  void add(const std::string& bytes, bool emphasis) {
    pending_ += bytes;
    const std::size_t whole = complete_utf8(pending_);
    const std::string text = replace_invalid_utf8(pending_.substr(0, whole));
    print(styled(text, emphasis ? Style::green : Style::plain, colour_));
    pending_.erase(0, whole);
    started_ = true;
  }
  bool started() const { return started_; }
  void finish() { print("\n"); }

 private:
  bool colour_;
  bool started_ = false;
  std::string pending_;
};

// The tokens that the decoder chose against the model's own choice, for the summary.
class Changes {
 public:
  // Whether the step's token is such a one.
  bool add(const Step& step) {
    ++steps_;
    const auto own = std::find_if(step.candidates.begin(), step.candidates.end(),
                                  [&](const auto& c) { return c.token == step.plain_choice; });
    if (own == step.candidates.end() || step.token == step.plain_choice) return false;
    ++changed_;
    list_ += fmt::format("{}{} for {}", list_.empty() ? "" : ", ",
                         quoted(step.candidates[step.chosen].text), quoted(own->text));
    return true;
  }
  std::string text() const {
    if (changed_ == 0) return "";
    return fmt::format("{} of {} tokens are not the model's own choice: {}\n", changed_, steps_,
                       list_);
  }

 private:
  std::size_t steps_ = 0, changed_ = 0;
  std::string list_;
};

// One prompt, its tokens shown as they come; on a terminal, those that the decoder changed stand
// out.
void generate_one(const GenerateFlags& f, const Run& run, const Prompt& prompt,
                  std::stop_token stop) {
  Worker worker(run.setup, run.session);
  const bool colour = colour_output();
  TextStream text(colour);
  Changes changes;
  std::size_t number = 0;
  const auto show = [&](const Step& step) {
    const bool changed = changes.add(step);
    if (f.explain) {
      print(explain_step(step, ++number, colour));
    } else {
      text.add(step.text, changed);
    }
  };
  Generated g;
  try {
    g = worker.generate(prompt, stop, show);
  } catch (const Error&) {
    if (text.started()) text.finish();  // the error gets a line of its own
    throw;
  }
  if (f.explain) {
    print("\n" + g.decoded.text + "\n");
  } else {
    text.finish();
  }
  fmt::print(stderr, "{}{}", changes.text(), summary(g));
  SampleWatch().see(g.decoded);
}

// Prompts that could not be answered, by their place in the run.
using Failures = std::map<std::size_t, std::string>;

// One line on them: the first, and how many there are.
std::string failure_line(const Failures& failures, std::size_t asked) {
  std::string line = failures.begin()->second;
  if (const std::size_t more = failures.size() - 1; more > 0) {
    line += fmt::format("; {} more prompt{} failed", more, more == 1 ? "" : "s");
  }
  if (const std::size_t rest = asked - failures.size(); rest > 0) {
    line += fmt::format("; the other {} {} answered", rest, rest == 1 ? "is" : "are");
  }
  return line;
}

// Many prompts, or rows for a program: finished results go to --out or standard output.
void generate_rows(const GenerateFlags& f, const Run& run, std::vector<Prompt> prompts,
                   std::stop_token stop) {
  // Rows with an explanation are other rows: a file has one kind.
  const std::string settings =
      f.explain ? sha256(run.settings + " explain").substr(0, run.settings.size()) : run.settings;
  std::unique_ptr<ResultsFile> results;
  if (!f.out.empty()) results = std::make_unique<ResultsFile>(f.out, settings, prompts);
  const std::size_t total = prompts.size();
  if (results) {
    std::erase_if(prompts, [&](const Prompt& p) { return results->finished(p.id); });
  }
  Progress progress(total, total - prompts.size());
  const auto threads = static_cast<std::size_t>(run.session.threads);
  const std::size_t workers = std::max<std::size_t>(
      1, std::min({f.together > 0 ? f.together : threads, threads, prompts.size()}));
  SessionOptions session = run.session;
  session.threads = static_cast<int>(std::max<std::size_t>(1, threads / workers));
  std::mutex output;
  SampleWatch watch(&progress);
  Failures failures;
  run_parallel(prompts.size(), workers, stop, [&](std::size_t) {
    auto worker = std::make_shared<Worker>(run.setup, session);
    return [&, worker](std::size_t i) {
      const Prompt& prompt = prompts[i];
      std::vector<Step> steps;
      Generated g;
      try {
        g = worker->generate(prompt, stop, [&](const Step& step) {
          if (f.explain) steps.push_back(step);
        });
      } catch (const Error& e) {
        if (e.kind() == ErrorKind::interrupted) return;  // told once, when all have stopped
        const std::string reason = fmt::format("prompt '{}': {}", prompt.id, e.what());
        if (e.kind() != ErrorKind::input) throw Error(e.kind(), reason);
        const std::lock_guard lock(output);  // this prompt's own fault: the others go on
        failures[i] = reason;
        return;
      }
      const auto row =
          make_row(prompt, g, {f.decoding.decoder.name, f.decoding.seed, settings}, steps);
      const std::lock_guard lock(output);
      if (!results) progress.clear();  // rows and bar may share a terminal
      if (results) {
        results->append(prompt.id, row.dump());
      } else if (f.json) {
        print(row.dump() + "\n");
      } else {
        std::string text = fmt::format("== {}\n", prompt.id);
        for (std::size_t step = 0; step < steps.size(); ++step) {
          text += explain_step(steps[step], step + 1, colour_output());
        }
        print(text + g.decoded.text + "\n\n");
      }
      watch.see(g.decoded);
      progress.advance();
    };
  });
  if (stop.stop_requested()) {
    throw Error(ErrorKind::interrupted,
                results
                    ? fmt::format("{}; the finished rows are in {}, and the same command goes on "
                                  "from there",
                                  interruption(), f.out)
                    : interruption());
  }
  if (!failures.empty()) {
    throw Error(ErrorKind::input, failure_line(failures, prompts.size()));
  }
}

void run_generate(CLI::App& command, GenerateFlags& f) {
  const std::stop_token stop = stop_on_signals();
  if (!f.decoding.setup.empty()) apply_setup_file(command, f.decoding.setup);
  ModelStore models({f.decoding.gpu_layers});
  std::function<PassTime()> passes;
  if (f.out.empty()) passes = [&] { return time_passes(f.decoding, models, stop); };
  apply_profile(command, f.decoding.profile, f.decoding.budget, passes);
  const std::vector<Prompt> prompts = load_prompts(f);
  const Run run = prepare(f.decoding, models);
  warn(run.warnings);
  if (prompts.size() == 1 && f.prompts.empty() && !f.json && f.out.empty()) {
    generate_one(f, run, prompts.front(), stop);
  } else {
    generate_rows(f, run, prompts, stop);
  }
}

}  // namespace

void add_generate(CLI::App& app) {
  auto flags = std::make_shared<GenerateFlags>();
  CLI::App* command = app.add_subcommand("generate", "Answer a prompt, or a file of prompts");
  command->add_option("prompt", flags->prompt, "The prompt, in quotes; - reads standard input");
  command
      ->add_option(
          "--prompts", flags->prompts,
          "A file with one {\"id\", \"prompt\"} or {\"id\", \"messages\"} a line, or one of "
          "a published form (docs), JSON, JSONL or CSV, gzip or not")
      ->option_text("FILE");
  command
      ->add_option("--out", flags->out,
                   "Append rows to this file; finished ids are skipped when it is there already")
      ->option_text("FILE.jsonl");
  command->add_flag("--json", flags->json, "Print rows of JSON instead of text");
  command->add_flag("--explain", flags->explain,
                    "Show each step's candidates, their values and probabilities");
  command->add_option("--together", flags->together, "Prompts decoded side by side")
      ->option_text("N [one a core]")
      ->check(count());
  add_decoding_flags(*command, flags->decoding);
  command->footer(kExamples);
  command->callback([command, flags] { run_generate(*command, *flags); });
}

}  // namespace tq::app
