#include "eval_header.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "transferq/engine/llama/model.hpp"
#include "transferq/eval/experiment/machine.hpp"
#include "transferq/eval/experiment/model_facts.hpp"

namespace tq::app {
namespace {

using nlohmann::ordered_json;

constexpr const char* kUnseen = "unseen reward";

// What plays each role; "reference" alone where all runs have the same.
class Models {
 public:
  void add(const std::string& role, const std::string& who, const ordered_json& facts) {
    roles_[role][facts.dump()].push_back(who);
  }
  ordered_json json() const {
    auto out = ordered_json::object();
    for (const auto& [role, all] : roles_) {
      for (const auto& [facts, who] : all) {
        const bool alone = all.size() == 1 && role != kUnseen;
        out[alone ? role : fmt::format("{} of {}", role, fmt::join(who, ", "))] =
            ordered_json::parse(facts);
      }
    }
    return out;
  }

 private:
  std::map<std::string, std::map<std::string, std::vector<std::string>>> roles_;
};

ordered_json models_of(const EvalSetup& setup, const Experiment& experiment) {
  Models models;
  for (const ExperimentRun& run : experiment.runs) {
    models.add("reference", run.name, policy_facts(run.setup.reference));
    if (run.setup.baseline) models.add("baseline", run.name, policy_facts(*run.setup.baseline));
    if (run.setup.reward) models.add("reward", run.name, reward_facts(*run.setup.reward));
    if (run.setup.baseline_reward) {
      models.add("baseline's reward", run.name, reward_facts(*run.setup.baseline_reward));
    }
  }
  for (const auto& [name, reward] : experiment.measures.rewards) {
    models.add(kUnseen, name, reward_facts(*reward));
  }
  if (experiment.measures.coherence) {
    models.add(
        "embedding", "",
        {{"name", setup.embedding}, {"digest", experiment.measures.coherence->fingerprint()}});
  }
  if (experiment.judge) {
    models.add("judge", "",
               {{"name", experiment.judge->name()}, {"digest", experiment.judge->fingerprint()}});
  }
  return models.json();
}

}  // namespace

ordered_json eval_header(const EvalSetup& setup, const PromptSet& data,
                         const Experiment& experiment) {
  auto runs = ordered_json::array();
  for (std::size_t i = 0; i < setup.runs.size(); ++i) {
    runs.push_back({{"name", setup.runs[i].name},
                    {"decoder", experiment.runs[i].decoder},
                    {"settings", setup.runs[i].given}});
  }
  auto unseen = ordered_json::array();
  for (const auto& [name, reward] : experiment.measures.rewards) unseen.push_back(name);
  return {{"name", setup.name},
          {"description", setup.description},
          {"setup", setup.text},
          {"data",
           {{"file", setup.prompts.filename().string()},
            {"format", data.format},
            {"sha256", data.sha256},
            {"prompts", data.available},
            {"repeated", data.repeated},
            {"sampled", data.prompts.size()},
            {"seed", setup.sample_seed}}},
          {"models", models_of(setup, experiment)},
          {"version", TQ_VERSION},
          {"engine", llama::engine_version()},
          {"machine", machine_facts()},
          {"runs", runs},
          {"against", setup.against},
          {"rewards", unseen},
          {"seeds", setup.seeds}};
}

}  // namespace tq::app
