// tq fit: makes a reward head. So far it imports one that was fitted elsewhere.
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "import_head.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/engine/llama/head_file.hpp"
#include "transferq/policy/model_store.hpp"

namespace tq::app {
namespace {

struct FitFlags {
  std::string from_json;
  SafetensorsHead safetensors;
  std::string model = "smollm2";
  std::string out;
  std::string name;
  std::string text = "conversation";
};

constexpr const char* kExamples =
    "Examples:\n"
    "  tq fit --from-json head.json --model smollm2 --out head.gguf\n"
    "      where head.json is {\"weights\": [...], \"bias\": 0.5, \"feature\": \"last token, after "
    "the final norm\"}\n"
    "  tq fit --from-safetensors model.safetensors --model smollm2 --label 1 --out head.gguf\n"
    "      the last layer of a published reward model; --model is its other layers as GGUF\n";

nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorKind::io, fmt::format("can't read {}; check the path", path));
  try {
    return nlohmann::json::parse(file);
  } catch (const nlohmann::json::parse_error& e) {
    throw Error(ErrorKind::input, fmt::format("{} is not valid JSON at byte {}", path, e.byte));
  }
}

HeadFile import_head(const FitFlags& f, const Model& model) {
  const nlohmann::json json = read_json(f.from_json);
  HeadFile head;
  try {
    head.weights = json.at("weights").get<std::vector<float>>();
    head.bias = json.value("bias", 0.0);
    const std::string feature = json.value("feature", "last token, after the final norm");
    if (feature.rfind("last token", 0) != 0) {
      throw Error(ErrorKind::input, fmt::format("{}: the feature '{}' is not known; heads read the "
                                                "last token, after the final norm",
                                                f.from_json, feature));
    }
    head.provenance = fmt::format("imported; trained on {}", json.value("trained_on", "unknown"));
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorKind::input, fmt::format("{} is no head; it needs \"weights\": [numbers] and "
                                              "may have \"bias\", \"feature\" and \"trained_on\"",
                                              f.from_json));
  }
  if (head.weights.size() != model.hidden_size()) {
    throw Error(ErrorKind::model,
                fmt::format("{} has {} weights, but {} has {} hidden values; name "
                            "the model it was fitted on with --model",
                            f.from_json, head.weights.size(), model.name(), model.hidden_size()));
  }
  head.base_name = model.name();
  head.base_identity = model.identity();
  head.text = f.text;
  head.pooling = "last";
  return head;
}

}  // namespace

void add_fit(CLI::App& app) {
  auto flags = std::make_shared<FitFlags>();
  CLI::App* command = app.add_subcommand("fit", "Make a reward head: import one from JSON");
  command->add_option("--from-json", flags->from_json, "Weights and bias fitted elsewhere")
      ->option_text("FILE.json");
  command
      ->add_option("--from-safetensors", flags->safetensors.file,
                   "A published sequence-classification model, whose last layer becomes the head; "
                   "--model is its other layers, converted to GGUF")
      ->option_text("FILE.safetensors");
  command
      ->add_option("--label", flags->safetensors.label,
                   "Which of its labels to reward: a number from 0, or a name of the config.json "
                   "beside it")
      ->option_text("N|NAME [the only one]");
  command->add_option("--tensor", flags->safetensors.tensor, "The last layer's weights in it")
      ->option_text("NAME [score.weight]");
  command
      ->add_option("--model", flags->model,
                   "The model whose hidden state it reads: a name or a GGUF file. The head works "
                   "with this file alone, not with another quantisation of it")
      ->option_text("MODEL [smollm2]");
  command->add_option("--out", flags->out, "The head")->option_text("FILE.gguf");
  command->add_option("--name", flags->name, "What it rewards")->option_text("NAME [from --out]");
  command->add_option("--text", flags->text, "What it reads")
      ->option_text("conversation|response [conversation]")
      ->check(CLI::IsMember({"conversation", "response"}));
  command->footer(kExamples);
  command->callback([flags] {
    if (flags->from_json.empty() == flags->safetensors.file.empty()) {
      throw Error(ErrorKind::usage, "give one of --from-json FILE and --from-safetensors FILE");
    }
    if (flags->out.empty()) throw Error(ErrorKind::usage, "--out FILE.gguf is missing: the head");
    ModelStore models;
    const auto model = models.model(flags->model);
    HeadFile head = flags->from_json.empty() ? import_safetensors(flags->safetensors, *model)
                                             : import_head(*flags, *model);
    head.name =
        flags->name.empty() ? std::filesystem::path(flags->out).stem().string() : flags->name;
    write_head(flags->out, head);
    print(fmt::format("wrote {}, a head for {}\n", flags->out, model->name()));
  });
}

}  // namespace tq::app
