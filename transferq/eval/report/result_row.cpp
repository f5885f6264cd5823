#include "transferq/eval/report/result_row.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "transferq/core/error.hpp"
#include "transferq/eval/experiment/experiment.hpp"

namespace tq::report {
namespace {

using nlohmann::ordered_json;

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw Error(ErrorKind::input, fmt::format("{}: {}; give files that tq eval wrote", where, what));
}

std::string text(const ordered_json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string needed_text(const ordered_json& row, const char* key, const std::string& where) {
  const auto found = row.find(key);
  if (found == row.end() || !found->is_string()) {
    refuse(where, fmt::format("no text under \"{}\"", key));
  }
  return found->get<std::string>();
}

std::optional<double> number(const ordered_json& row, const char* key, const std::string& where) {
  const auto found = row.find(key);
  if (found == row.end() || found->is_null()) return std::nullopt;
  if (!found->is_number()) refuse(where, fmt::format("\"{}\" is no number", key));
  return found->get<double>();
}

double number_or_0(const ordered_json& row, const char* key, const std::string& where) {
  return number(row, key, where).value_or(0);
}

// A list under `key`, or an empty one.
ordered_json list(const ordered_json& row, const char* key, const std::string& where) {
  const auto found = row.find(key);
  if (found == row.end() || found->is_null()) return ordered_json::array();
  if (!found->is_array()) refuse(where, fmt::format("\"{}\" is no list", key));
  return *found;
}

ordered_json object(const ordered_json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_object() ? *found : ordered_json::object();
}

Run run_of(const ordered_json& item, const std::string& where) {
  if (!item.is_object()) refuse(where, "a run is no object");
  Run run{needed_text(item, "name", where), text(item, "decoder"), {}};
  const ordered_json settings = object(item, "settings");
  for (const auto& [key, value] : settings.items()) {
    run.settings.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return run;
}

bool is_count(const ordered_json& value) { return value.is_number_unsigned(); }

std::vector<std::pair<std::size_t, std::size_t>> ranges_of(const ordered_json& row,
                                                           const std::string& where) {
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  for (const ordered_json& item : list(row, "changed", where)) {
    const bool fits = item.is_array() && item.size() == 2 && is_count(item[0]) &&
                      is_count(item[1]) && item[0] <= item[1];
    if (!fits || (!ranges.empty() && item[0].get<std::size_t>() < ranges.back().second)) {
      refuse(where, "\"changed\" is no list of [begin, end] in order");
    }
    ranges.emplace_back(item[0].get<std::size_t>(), item[1].get<std::size_t>());
  }
  return ranges;
}

Outcome outcome(const ordered_json& row, const char* key, const std::string& where) {
  const std::string word = text(row, key);
  if (const auto known = outcome_of_name(word)) return *known;
  refuse(where, fmt::format("'{}' is none of win, tie, lose, none", word));
}

}  // namespace

Header header_of(const ordered_json& row, const std::string& where) {
  Header header;
  header.settings = needed_text(row, "settings", where);
  header.against = text(row, "against");
  header.shard = text(row, "shard");
  header.command = text(row, "command");
  for (const ordered_json& item : list(row, "runs", where)) {
    header.runs.push_back(run_of(item, where));
  }
  if (header.runs.empty()) refuse(where, "the header names no runs");
  for (const ordered_json& item : list(row, "rewards", where)) {
    if (item.is_string()) header.rewards.push_back(item.get<std::string>());
  }
  for (const ordered_json& item : list(row, "seeds", where)) {
    if (is_count(item)) header.seeds.push_back(item.get<std::uint64_t>());
  }
  return header;
}

RowHead head_of(const ordered_json& row, const std::string& where) {
  RowHead head{needed_text(row, "id", where), needed_text(row, "settings", where), text(row, "run"),
               RowKind::answer};
  if (row.contains("verdict")) {
    head.kind = RowKind::judgement;
  } else if (row.contains("error")) {
    head.kind = RowKind::failure;
    // The answer that failed, so that one made later takes its place.
    if (const std::string prefix = failure_id(""); head.id.rfind(prefix, 0) == 0) {
      head.id.erase(0, prefix.size());
    }
  } else if (!row.contains("response") && head.id != "#setup") {
    refuse(where, "neither a response nor a failure nor a judgement");
  }
  return head;
}

Answer answer_of(const ordered_json& row, const std::string& where) {
  Answer answer;
  answer.text = needed_text(row, "response", where);
  const auto seed = row.find("seed");
  if (seed != row.end() && is_count(*seed)) answer.seed = seed->get<std::uint64_t>();
  answer.changed = ranges_of(row, where);
  answer.tokens = static_cast<std::size_t>(number_or_0(row, "response_tokens", where));
  answer.cut = text(row, "finish_reason") == "length";
  answer.reward = number(row, "reward", where);
  answer.kl = number(row, "kl_to_reference", where);
  answer.kl_kind = text(row, "kl_kind");
  const ordered_json spent = object(row, "evaluations");
  for (const char* key : {"policy", "reference", "reward"}) {
    answer.evaluations += number_or_0(spent, key, where);
  }
  answer.seconds = number_or_0(row, "seconds", where);
  const ordered_json metrics = object(row, "metrics");
  for (const char* key :
       {"words", "rep_2", "rep_3", "rep_4", "diversity", "coherence", "perplexity"}) {
    if (const auto value = number(metrics, key, where)) answer.metrics[key] = *value;
  }
  const ordered_json rewards = object(metrics, "rewards");
  for (const auto& [name, value] : rewards.items()) {
    if (const auto reward = number(rewards, name.c_str(), where)) answer.unseen[name] = *reward;
  }
  return answer;
}

Judged judged_of(const ordered_json& row, const std::string& where) {
  const Judgement judgement{outcome(row, "first", where), outcome(row, "second", where)};
  if (outcome(row, "verdict", where) != judgement.verdict()) {
    refuse(where, "the verdict does not follow from first and second");
  }
  return {0, text(row, "prompt_id"), text(row, "against"), text(row, "judge"), judgement};
}

Failed failed_of(const ordered_json& row) {
  return {0, text(row, "prompt_id"), text(row, "error")};
}

Asked asked_of(const ordered_json& row) {
  Asked asked{text(row, "prompt_id"), text(row, "prompt"), {}};
  const auto messages = row.find("messages");
  if (messages == row.end() || !messages->is_array()) return asked;
  for (std::size_t i = 0; i + 1 < messages->size(); ++i) {
    const ordered_json& message = (*messages)[i];
    if (message.is_object()) {
      asked.before.emplace_back(text(message, "role"), text(message, "content"));
    }
  }
  return asked;
}

}  // namespace tq::report
