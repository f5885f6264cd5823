#include "transferq/eval/row.hpp"

#include <cmath>

#include "transferq/core/text.hpp"

namespace tq {
namespace {

// JSON has no infinity, and no value that is not known: null.
nlohmann::ordered_json number(double x) {
  return std::isfinite(x) ? nlohmann::ordered_json(x) : nlohmann::ordered_json();
}

nlohmann::ordered_json effective_json(const EffectiveSamples& effective) {
  return {{"mean", effective.mean}, {"min", effective.min}};
}

nlohmann::ordered_json steps_json(const std::vector<Step>& steps) {
  auto out = nlohmann::ordered_json::array();
  for (const Step& step : steps) {
    auto list = nlohmann::ordered_json::array();
    for (const CandidateView& c : step.candidates) {
      nlohmann::ordered_json& one = list.emplace_back();
      one["token"] = c.token;
      if (!c.block.empty()) one["block"] = c.block;
      one["text"] = replace_invalid_utf8(c.text);
      one["logprob"] = c.logprob;
      one["value"] = number(c.value);
      one["probability"] = c.probability;
      if (c.given_up) one["given_up"] = true;
    }
    nlohmann::ordered_json& one = out.emplace_back();
    one["candidates"] = std::move(list);
    one["chosen"] = step.token;
    // Blocks may begin with one token and be different, or be the same and drawn twice.
    const bool blocks = !step.candidates.empty() && !step.candidates.front().block.empty();
    if (blocks) one["chosen_index"] = step.chosen;
    if (!step.rolled_out) one["rolled_out"] = false;
    if (step.effective) one["effective_samples"] = effective_json(*step.effective);
    if (step.alpha) one["alpha"] = number(*step.alpha);
  }
  return out;
}

const char* kl_name(KlKind kind) {
  switch (kind) {
    case KlKind::exact:
      return "exact";
    case KlKind::bound:
      return "bound";
    case KlKind::estimate:
      return "estimate";
  }
  return "";
}

// What was asked: the last message, and all of them where that does not say it all.
nlohmann::ordered_json prompt_json(const Prompt& prompt) {
  nlohmann::ordered_json out;
  const std::vector<Message>& messages = prompt.messages;
  out["prompt"] = messages.empty() ? "" : messages.back().content;
  if (messages.size() > 1 || (messages.size() == 1 && messages.front().role != "user")) {
    for (const Message& m : messages) {
      out["messages"].push_back({{"role", m.role}, {"content", m.content}});
    }
  }
  return out;
}

}  // namespace

std::string row_start(const std::string& id, const std::string& settings) {
  std::string row = nlohmann::ordered_json{{"id", id}, {"settings", settings}}.dump();
  row.pop_back();  // the brace
  return row;
}

nlohmann::json asked_fields(const Prompt& prompt) {
  nlohmann::json fields = prompt_json(prompt);
  if (!fields.contains("messages")) fields["messages"] = nullptr;
  return fields;
}

nlohmann::ordered_json make_row(const Prompt& prompt, const Generated& generated,
                                const RowInfo& info, const std::vector<Step>& steps) {
  const Decoded& d = generated.decoded;
  const Evaluations& e = generated.evaluations;
  nlohmann::ordered_json row;
  row["id"] = prompt.id;
  row["settings"] = info.settings;
  row.update(prompt_json(prompt));
  row["response"] = d.text;
  row["prompt_tokens"] = generated.prompt_tokens;
  row["response_tokens"] = d.tokens.size();
  row["decoder"] = info.decoder;
  row["seed"] = info.seed;
  row["finish_reason"] = d.finish == Finish::stop ? "stop" : "length";
  row["reward"] = d.reward ? nlohmann::ordered_json(*d.reward) : nlohmann::ordered_json();
  row["kl_to_reference"] = d.kl_to_reference;
  row["kl_kind"] = kl_name(d.kl_kind);
  row["evaluations"] = {
      {"policy", e.policy}, {"reference", e.reference}, {"reward", e.reward}, {"prompt", e.prompt}};
  if (e.reward_models.size() > 1) row["evaluations"]["reward_models"] = e.reward_models;
  if (d.effective) row["effective_samples"] = effective_json(*d.effective);
  row["seconds"] = generated.seconds;
  if (!steps.empty()) row["steps"] = steps_json(steps);
  return row;
}

}  // namespace tq
