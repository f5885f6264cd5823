// tq control: makes a control vector from contrasting prompts or texts.
#include "control.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include "commands.hpp"
#include "fit.hpp"
#include "flags.hpp"
#include "setup_file.hpp"
#include "signals.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"
#include "transferq/engine/llama/control_file.hpp"
#include "transferq/eval/data/prompt_set.hpp"
#include "tuning.hpp"
#include "write_file.hpp"

namespace tq::app {
namespace {

struct ControlFlags : SessionFlags {
  std::string positive, negative;
  std::string prompts;
  std::string data;
  std::string data_format = "auto";
  std::string model = "smollm2";
  std::string out;
  std::string method = "mean";
  std::string pooling = "mean";
  std::string layers;
  std::size_t limit = 0;
  std::size_t max_tokens = 512;
  std::uint64_t seed = 0;
  bool json = false;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  tq control --positive \"You are delighted.\" --negative \"You are miserable.\" --out "
    "glad.gguf\n"
    "      the model's states under one system prompt against those under the other\n"
    "  tq control --data pairs.jsonl --out kind.gguf\n"
    "      where a line is {\"positive\": \"...\", \"negative\": \"...\"}, or a pair as tq fit "
    "takes them\n"
    "Use it: tq generate \"Hi\" --decoder tq --baseline control=glad.gguf --reward "
    "head=sentiment\n";

// What the system prompts stand before, unless --prompts says otherwise.
constexpr std::array kPrompts{
    "What did you do on Sunday?",         "Tell me about the town you live in.",
    "What do you think of the new park?", "Say something about a book you read.",
    "Write a short letter to a friend.",  "What happened at work today?",
    "How is the food in this place?",     "Tell me a story about an old ship.",
    "What will next year be like?",       "Explain how a bicycle works.",
    "Write a few words about a film.",    "Give me some advice about learning.",
};

std::vector<Prompt> load_prompts(const std::string& file) {
  if (!file.empty()) return read_prompt_set(file).prompts;
  std::vector<Prompt> prompts;
  for (const char* text : kPrompts) {
    prompts.push_back(make_prompt(std::to_string(prompts.size() + 1), text));
  }
  return prompts;
}

// "A-B" or "A" in two numbers; "" leaves both 0.
void read_layers(const std::string& text, ControlOptions& options) {
  if (text.empty()) return;
  const char* end = text.data() + text.size();
  std::from_chars_result read = std::from_chars(text.data(), end, options.first_layer);
  options.last_layer = options.first_layer;
  if (read.ec == std::errc() && read.ptr != end && *read.ptr == '-') {
    read = std::from_chars(read.ptr + 1, end, options.last_layer);
  }
  if (read.ec != std::errc() || read.ptr != end || options.first_layer < 1 ||
      options.last_layer < 1) {
    throw Error(ErrorKind::usage,
                fmt::format("--layers {} is no range of layers from 1 on, such as 8-20", text));
  }
}

void check(const CLI::App& command, const ControlFlags& f) {
  const bool systems = !f.positive.empty() || !f.negative.empty();
  if (systems == !f.data.empty()) {
    throw Error(ErrorKind::usage,
                "give --positive TEXT (and --negative TEXT) for two system prompts, or --data FILE "
                "for pairs of texts");
  }
  const auto refuse = [&](std::initializer_list<const char*> flags, const char* with) {
    for (const char* flag : flags) {
      if (command.count(flag) == 0) continue;
      throw Error(ErrorKind::usage, fmt::format("{} goes with {} alone", flag, with));
    }
  };
  if (systems) {
    refuse({"--data-format", "--limit", "--seed", "--max-tokens"}, "--data");
  } else {
    refuse({"--prompts"}, "--positive and --negative");
  }
  for (const std::string* text : {&f.positive, &f.negative}) {
    if (invalid_utf8(*text) != std::string::npos || text->find('\0') != std::string::npos) {
      throw Error(ErrorKind::input, "a system prompt is not valid UTF-8 or holds a NUL character");
    }
  }
  if (f.out.empty()) {
    throw Error(ErrorKind::usage, "--out FILE.gguf is missing: the control vector");
  }
  if (f.max_tokens == 0) throw Error(ErrorKind::usage, "--max-tokens 0 leaves no text; give more");
}

std::vector<Contrast> contrasts_of(const ControlFlags& f, const Policy& base, ControlReport& r) {
  if (f.data.empty()) {
    r.contrast = fmt::format("'{}' against {}", f.positive,
                             f.negative.empty() ? "no system prompt" : "'" + f.negative + "'");
    return contrast_systems(load_prompts(f.prompts), f.positive, f.negative, base);
  }
  Units units = read_units(f.data, f.data_format, "");
  if (f.limit > 0) units.units = sample(std::move(units.units), f.limit, f.seed);
  ResponseContrasts read =
      contrast_responses(units.units, base, std::min(f.max_tokens, base.model().context()));
  r.identical = units.identical + read.identical;
  r.empty = units.empty;
  r.left_out = read.left_out;
  r.cut = read.cut;
  r.contrast = fmt::format("positive against negative texts of {}", file_names(f.data));
  return std::move(read.contrasts);
}

void run_control(CLI::App& command, ControlFlags& f) {
  const std::stop_token stop = stop_on_signals();
  if (!f.setup.empty()) apply_setup_file(command, f.setup);
  check(command, f);
  check_out(f.out);
  ControlOptions options;
  read_layers(f.layers, options);
  options.method = f.method == "pca" ? DirectionMethod::pca : DirectionMethod::mean;
  options.mean = f.pooling == "mean";
  options.session = session_options_of(f);
  ModelStore models({f.gpu_layers});
  const Policy base = models.policy(f.model, "--model", format_of(f));
  apply_tuning(f, base.model(), options.session);

  ControlReport r;
  const std::vector<Contrast> contrasts = contrasts_of(f, base, r);
  {
    Progress progress(contrasts.size(), 0);
    r.fit = fit_control(contrasts, base, options, stop, [&] { progress.advance(); });
  }
  r.out = f.out;
  r.model = base.model().name();
  r.method = f.method;
  r.pooling = f.pooling;
  r.pairs = contrasts.size();
  r.data = fingerprint(contrasts);
  ControlFile file;
  file.model_hint = r.fit.architecture;
  for (const auto& [layer, direction] : r.fit.directions) file.directions[layer] = direction.values;
  file.origin = ControlOrigin{
      r.model, base.model().identity(), r.method, r.pooling, r.contrast, r.data, TQ_VERSION,
      r.pairs};
  write_control(f.out, file);
  print(f.json ? report_json(r).dump() + "\n" : report_text(r));
}

}  // namespace

void add_control(CLI::App& app) {
  auto flags = std::make_shared<ControlFlags>();
  ControlFlags& f = *flags;
  CLI::App* command = app.add_subcommand(
      "control", "Make a control vector, a baseline without a second model, from contrasts");
  command->add_option("--positive", f.positive, "The system prompt to steer towards")
      ->option_text("TEXT");
  command->add_option("--negative", f.negative, "And the one to steer away from")
      ->option_text("TEXT [no system prompt]");
  command
      ->add_option("--prompts", f.prompts,
                   "What the system prompts stand before: prompts as tq generate takes them")
      ->option_text("FILE [12 everyday ones]");
  command
      ->add_option("--data", f.data,
                   "Instead: pairs of a positive and a negative text, with or without a prompt")
      ->option_text("FILE[,FILE...]");
  command->add_option("--data-format", f.data_format, "How the data is written")
      ->option_text("auto|jsonl|hh [auto]")
      ->check(one_of(data_formats()));
  command->add_option("--limit", f.limit, "Take a sample of this many pairs")
      ->option_text("N [all]")
      ->check(count());
  command->add_option("--seed", f.seed, "Seed of the sample")
      ->option_text("N [0]")
      ->check(seed_check());
  command->add_option("--max-tokens", f.max_tokens, "Longer texts are cut at the end")
      ->option_text("N [512, at most the model's context]")
      ->check(count());
  command
      ->add_option("--model", f.model,
                   "The model to steer, written as for tq generate; the vector fits models of its "
                   "width and layers")
      ->option_text("LIST [smollm2]");
  command->add_option("--out", f.out, "The control vector")->option_text("FILE.gguf");
  command
      ->add_option("--method", f.method,
                   "mean: the mean difference; pca: the part of it along the differences' first "
                   "principal axis")
      ->option_text("mean|pca [mean]")
      ->check(one_of({"mean", "pca"}));
  command
      ->add_option("--pooling", f.pooling,
                   "Where the states are read: the last token, or the mean over the tokens that "
                   "both prompts end with, or over the response")
      ->option_text("last|mean [mean]")
      ->check(one_of({"last", "mean"}));
  command->add_option("--layers", f.layers, "The layers to steer, counted from 0")
      ->option_text("A-B [1 to the last]");
  command->add_flag("--json", f.json, "Print the report as a row of JSON");
  add_session_flags(*command, f);
  command->remove_option(command->get_option("--context"));  // as long as the texts
  command->footer(kExamples);
  command->callback([command, flags] { run_control(*command, *flags); });
}

}  // namespace tq::app
