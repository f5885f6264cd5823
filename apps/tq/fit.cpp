// tq fit: makes a reward head, from data or from weights that were fitted elsewhere, or a learned
// value, from logged roll-outs.
#include "fit.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "commands.hpp"
#include "flags.hpp"
#include "transferq/core/error.hpp"

namespace tq::app {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  tq fit --data pairs.jsonl --model smollm2 --out kind.gguf\n"
    "      where a line is {\"prompt\": \"...\", \"chosen\": \"...\", \"rejected\": \"...\"}, as "
    "UltraFeedback has them, or {\"chosen\", \"rejected\"} of whole dialogues, as in HH-RLHF\n"
    "  tq fit --data sst2.train --test sst2.dev --prompt \"How was the film?\" --out "
    "sentiment.gguf\n"
    "      where a line is `1 a good film` or `0 a bad one`\n"
    "  tq fit --from-json head.json --model smollm2 --out head.gguf\n"
    "      where head.json is {\"weights\": [...], \"bias\": 0.5, \"feature\": \"last token, after "
    "the final norm\"}\n"
    "  tq fit --from-safetensors model.safetensors --model smollm2 --label 1 --out head.gguf\n"
    "      the last layer of a published reward model; --model is its other layers as GGUF\n"
    "  tq fit --value logged.jsonl --reward head=kind.gguf --model smollm2 --out value.gguf\n"
    "      what roll-outs are worth, for `tq generate --decoder tq --value head=value.gguf`\n"
    "Use it: tq generate \"Hi\" --decoder tq --reward head=kind.gguf\n";

void add_choice(CLI::App& command, const std::string& flag, std::string& target,
                const std::string& help, const std::vector<std::string>& names,
                const std::string& fallback) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : "|") + name;
  command.add_option(flag, target, help)
      ->option_text(fmt::format("{} [{}]", text, fallback))
      ->check(CLI::IsMember(names));
}

void add_source_flags(CLI::App& command, FitFlags& f) {
  command
      .add_option("--data", f.data,
                  "Pairs or labelled texts, gzip-compressed or not: JSONL, a JSON array, HH-RLHF "
                  "dialogues, or LABEL TEXT lines")
      ->option_text("FILE[,FILE...]");
  add_choice(command, "--data-format", f.data_format, "How the data is written", data_formats(),
             "auto");
  command
      .add_option(
          "--prompt", f.prompt,
          "A prompt to put before texts that have none, so that the head reads answers to a "
          "prompt, as it will when decoding")
      ->option_text("TEXT");
  command.add_option("--test", f.test, "Measure on this data instead of a part that is held out")
      ->option_text("FILE[,FILE...]");
  command.add_option("--from-json", f.from_json, "Import weights and bias fitted elsewhere")
      ->option_text("FILE.json");
  command
      .add_option("--from-safetensors", f.safetensors.file,
                  "Import the last layer of a published sequence-classification model; --model is "
                  "its other layers, converted to GGUF")
      ->option_text("FILE.safetensors");
  command
      .add_option("--label", f.safetensors.label,
                  "Which of its labels to reward: a number from 0, or a name of the config.json "
                  "beside it")
      ->option_text("N|NAME [the only one]");
  command.add_option("--tensor", f.safetensors.tensor, "The last layer's weights in it")
      ->option_text("NAME [score.weight]");
  command
      .add_option("--model", f.model,
                  "The model whose hidden state it reads: a name or a GGUF file. The head works "
                  "with this file alone, not with another quantisation of it")
      ->option_text("MODEL [smollm2]");
  command
      .add_option("--value", f.value,
                  "Learn a value instead, from roll-outs that `tq generate --explain --out FILE` "
                  "has logged; --model is the policy that rolled out")
      ->option_text("FILE.jsonl[,FILE...]");
  command.add_option("--reward", f.reward, "Of a value: what its roll-outs were scored by")
      ->option_text("LIST");
  command
      .add_option("--levels", f.levels,
                  "Of a value: fit the distribution of the reward over so many levels, too")
      ->option_text("N [0]")
      ->check(count());
  command.add_flag("--force", f.force,
                   "Of a value: write it even if it chooses no better than the reward of the text "
                   "so far");
  command.add_option("--out", f.out, "The head, or the value")->option_text("FILE.gguf");
  command.add_option("--name", f.name, "What it rewards")->option_text("NAME [from --out]");
}

void add_reading_flags(CLI::App& command, FitFlags& f) {
  add_choice(command, "--format", f.format,
             "chat: prompts in the model's chat template; raw: the text as it is", {"chat", "raw"},
             "chat");
  add_choice(command, "--text", f.text, "What the head reads", {"conversation", "response"},
             "conversation where there are prompts");
  command
      .add_option("--pooling", f.pooling,
                  "The last token's hidden state; mean, max or min over the response; or several "
                  "of them side by side, last,mean,max,min; auto: what validates best. Of an "
                  "imported head also end: at the token that ends the turn")
      ->option_text("auto|LIST [auto]");
  command.add_option("--limit", f.limit, "Fit on a sample of this many examples")
      ->option_text("N [all]")
      ->check(count());
  command.add_option("--max-tokens", f.max_tokens, "Longer texts are cut at the end")
      ->option_text("N [2048, at most the model's context]")
      ->check(count());
  command.add_option("--threads", f.threads, "Threads, at most one a core")
      ->option_text("N [all cores]")
      ->check(count());
  command.add_option("--gpu-layers", f.gpu_layers, "Layers on a GPU, where the engine has one")
      ->option_text("N [all]");
  add_choice(command, "--cache", f.cache, "Precision of the memory", {"f16", "f32"}, "f16");
}

void add_fitting_flags(CLI::App& command, FitFlags& f) {
  add_choice(command, "--loss", f.loss,
             "pairwise: Bradley-Terry; logistic: label 1 against 0; auto: as the data is",
             {"auto", "pairwise", "logistic"}, "auto");
  command.add_option("--l2", f.l2, "Strength of the penalty on weights; auto: cross-validation")
      ->option_text("auto|NUMBER [auto]");
  command.add_option("--folds", f.folds, "Folds of cross-validation")
      ->option_text("N [5]")
      ->check(count());
  command.add_option("--holdout", f.holdout, "Share of the data that is held out for measuring")
      ->option_text("NUMBER [0.2]")
      ->check(CLI::Range(0.001, 0.9));
  command.add_option("--seed", f.seed, "Seed of sample, hold-out and folds")
      ->option_text("N [0]")
      ->check(seed_check());
  command.add_flag("--json", f.json, "Print the report as a row of JSON");
}

void run_fit(const CLI::App& command, const FitFlags& f) {
  const int sources =
      !f.data.empty() + !f.value.empty() + !f.from_json.empty() + !f.safetensors.file.empty();
  if (sources != 1) {
    throw Error(
        ErrorKind::usage,
        "give --data FILE to fit a head, --value FILE to learn a value, or --from-json FILE "
        "or --from-safetensors FILE to import one");
  }
  if (f.out.empty()) throw Error(ErrorKind::usage, "--out FILE.gguf is missing: the head or value");
  if (f.value.empty() && (!f.reward.empty() || f.levels > 0 || f.force)) {
    throw Error(ErrorKind::usage,
                "--reward, --levels and --force are for a value; give --value FILE, or leave them "
                "out");
  }
  if (!f.test.empty() && command.count("--holdout") > 0) {
    throw Error(ErrorKind::usage, "give either --test or --holdout, not both");
  }
  if (f.max_tokens == 0) throw Error(ErrorKind::usage, "--max-tokens 0 leaves no text; give more");
  if (!f.value.empty()) {
    fit_on_logs(f);
  } else {
    f.data.empty() ? import_head(f) : fit_on_data(f);
  }
}

}  // namespace

std::string head_name(const FitFlags& f) {
  return f.name.empty() ? std::filesystem::path(f.out).stem().string() : f.name;
}

void add_fit(CLI::App& app) {
  auto flags = std::make_shared<FitFlags>();
  CLI::App* command =
      app.add_subcommand("fit",
                         "Make a reward head from pairs or labelled texts, or a value from logged "
                         "roll-outs");
  add_source_flags(*command, *flags);
  add_reading_flags(*command, *flags);
  add_fitting_flags(*command, *flags);
  command->footer(kExamples);
  command->callback([command, flags] { run_fit(*command, *flags); });
}

}  // namespace tq::app
