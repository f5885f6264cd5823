#include "transferq/eval/report/facts.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace tq::report {
namespace {

using nlohmann::ordered_json;

std::string plain(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// "key value, key value" of an object.
std::string listed(const ordered_json& value) {
  if (!value.is_object()) return plain(value);
  std::string out;
  for (const auto& [key, item] : value.items()) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", key, plain(item));
  }
  return out;
}

// The fields of a model, its name first; a text of several words in quotes. Headers of earlier
// versions have one text, which is shown as it is.
std::string described(const ordered_json& model) {
  if (!model.is_object()) return plain(model);
  std::string out;
  for (const auto& [key, item] : model.items()) {
    if (key == "file" && item == model.value("name", ordered_json())) continue;
    const bool words = item.is_string() && plain(item).find(' ') != std::string::npos;
    const std::string text = item.is_object() ? '(' + listed(item) + ')'
                             : words          ? item.dump()
                                              : plain(item);
    out += key == "name" ? plain(item) : fmt::format("; {} {}", key, text);
  }
  return out;
}

}  // namespace

std::string text_of(const Results& results, const char* key) {
  const auto found = results.header.find(key);
  return found != results.header.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string title_of(const Results& results) {
  const std::string name = text_of(results, "name");
  return name.empty() ? "An experiment of tq eval" : name;
}

std::vector<Fact> facts(const Results& results) {
  std::vector<Fact> out;
  const auto add = [&](const char* name, const char* key) {
    const auto found = results.header.find(key);
    if (found != results.header.end() && !found->is_null()) out.push_back({name, listed(*found)});
  };
  add("data", "data");
  const auto models = results.header.find("models");
  if (models != results.header.end() && models->is_object()) {
    for (const auto& [role, model] : models->items()) out.push_back({role, described(model)});
  }
  for (const Run& run : results.runs) {
    std::string settings = run.decoder;
    for (const auto& [flag, value] : run.settings) settings += fmt::format(", {} {}", flag, value);
    out.push_back({"run " + run.name, settings});
  }
  out.push_back({"compared with", results.against.empty() ? "nothing" : results.against});
  if (!results.rewards.empty()) {
    out.push_back({"unseen rewards", fmt::format("{}", fmt::join(results.rewards, ", "))});
  }
  out.push_back({"seeds", fmt::format("{}", fmt::join(results.seeds, ", "))});
  out.push_back({"shards", fmt::format("{}", fmt::join(results.shards, ", "))});
  add("version", "version");
  add("engine", "engine");
  add("machine", "machine");
  add("settings", "settings");
  return out;
}

std::vector<std::string> notes(const Results& results, const Summary& summary) {
  std::vector<std::string> out;
  const std::size_t done = summary.answered + results.failures.size();
  if (done < summary.expected) {
    out.push_back(
        fmt::format("{} of {} responses are missing: the experiment is not finished, or "
                    "shards were left out.",
                    summary.expected - done, summary.expected));
  }
  if (!results.failures.empty()) {
    const Failed& one = results.failures.front();
    out.push_back(fmt::format(
        "{} failed, part of no mean; the first, {} for "
        "prompt {}: {}",
        results.failures.size() == 1 ? "1 response"
                                     : fmt::format("{} responses", results.failures.size()),
        results.runs[one.run].name, one.prompt_id, one.message));
  }
  std::size_t unreadable = 0;
  for (const Judged& judged : results.judged)
    unreadable += judged.judgement.verdict() == Outcome::none ? 1 : 0;
  if (unreadable > 0) {
    out.push_back(fmt::format("{} verdicts of the judge could not be read and are part of no rate.",
                              unreadable));
  }
  out.insert(out.end(), results.notes.begin(), results.notes.end());
  return out;
}

}  // namespace tq::report
