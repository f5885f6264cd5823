#include "transferq/reward/http_forms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "transferq/core/text.hpp"
#include "transferq/reward/outside.hpp"

namespace tq {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct ApiName {
  HttpApi api;
  const char* name;
  const char* path;
};
constexpr std::array<ApiName, 5> kApis{{{HttpApi::tq, "tq", "/"},
                                        {HttpApi::score, "score", "/score"},
                                        {HttpApi::rerank, "rerank", "/v1/rerank"},
                                        {HttpApi::reward, "reward", "/classify"},
                                        {HttpApi::pooling, "pooling", "/pooling"}}};

std::string prompt_text(const OutsideRow& row) {
  if (row.messages.size() <= 1) return row.prompt();
  std::string text;
  for (const Message& m : row.messages) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", m.role, m.content);
  }
  return text;
}

// The template with {prompt} and {response} in place; what they hold is not looked into.
std::string fill(std::string_view input, const OutsideRow& row) {
  constexpr std::string_view kPrompt = "{prompt}", kResponse = "{response}";
  std::string text;
  while (!input.empty()) {
    if (input.substr(0, kPrompt.size()) == kPrompt) {
      text += prompt_text(row);
      input.remove_prefix(kPrompt.size());
    } else if (input.substr(0, kResponse.size()) == kResponse) {
      text += row.response;
      input.remove_prefix(kResponse.size());
    } else {
      text += input.front();
      input.remove_prefix(1);
    }
  }
  return text;
}

bool one_prompt(const OutsideRow& a, const OutsideRow& b) {
  return prompt_text(a) == prompt_text(b);
}

bool conversation(const HttpForm& form) {
  return (form.api == HttpApi::reward || form.api == HttpApi::pooling) && form.input.empty();
}

ordered_json responses(Gathering::Rows rows) {
  auto list = ordered_json::array();
  for (const OutsideRow* row : rows) list.push_back(row->response);
  return list;
}

std::optional<double> number(const json* value) {
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const double x = value->get<double>();
  return std::isfinite(x) ? std::optional(x) : std::nullopt;
}

const json* member(const json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  return it == object.end() ? nullptr : &*it;
}

// [x], or the last of [[x], [x]].
std::optional<double> single(const json* list) {
  if (list == nullptr || !list->is_array() || list->empty()) return std::nullopt;
  if (list->back().is_array()) return single(&list->back());
  return list->size() == 1 ? number(&list->front()) : std::nullopt;
}

std::optional<double> item_score(HttpApi api, const json& item) {
  if (api == HttpApi::score) return number(member(item, "score"));
  if (api == HttpApi::rerank) return number(member(item, "relevance_score"));
  return single(member(item, api == HttpApi::reward ? "probs" : "data"));
}

Error no_answer(const std::string& why) { return {ErrorKind::input, why}; }

}  // namespace

HttpApi http_api(const std::string& name) {
  std::vector<std::string> names;
  for (const ApiName& api : kApis) {
    if (name == api.name) return api.api;
    names.emplace_back(api.name);
  }
  const std::string near = nearest_name(name, names);
  throw Error(ErrorKind::usage,
              fmt::format("api={} is not known{}; there are tq, score, rerank, reward and pooling",
                          name, near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near)));
}

std::string_view default_path(HttpApi api) {
  return std::find_if(kApis.begin(), kApis.end(), [&](const ApiName& a) { return a.api == api; })
      ->path;
}

std::size_t rows_in_request(const HttpForm& form, Gathering::Rows rows) {
  if (conversation(form)) return 1;
  const std::size_t most = std::min(form.batch, rows.size());
  if (form.api != HttpApi::rerank) return most;
  std::size_t count = 1;
  while (count < most && one_prompt(*rows[0], *rows[count])) ++count;
  return count;
}

ordered_json request_body(const HttpForm& form, Gathering::Rows rows) {
  ordered_json body;
  if (!form.model.empty()) body["model"] = form.model;
  if (form.api == HttpApi::tq) {
    body["rows"] = ordered_json::array();
    for (const OutsideRow* row : rows) body["rows"].push_back(row_json(*row));
  } else if (form.api == HttpApi::score) {
    const bool same = std::all_of(rows.begin(), rows.end(), [&](const OutsideRow* row) {
      return one_prompt(*row, *rows.front());
    });
    body["text_1"] = prompt_text(*rows.front());
    if (!same) {
      body["text_1"] = ordered_json::array();
      for (const OutsideRow* row : rows) body["text_1"].push_back(prompt_text(*row));
    }
    body["text_2"] = responses(rows);
  } else if (form.api == HttpApi::rerank) {
    body["query"] = prompt_text(*rows.front());
    body["documents"] = responses(rows);
  } else if (conversation(form)) {
    body["messages"] = row_json(*rows.front())["messages"];
    body["messages"].push_back({{"role", "assistant"}, {"content", rows.front()->response}});
  } else {
    body["input"] = ordered_json::array();
    for (const OutsideRow* row : rows) body["input"].push_back(fill(form.input, *row));
  }
  if (form.api == HttpApi::reward) body["use_activation"] = false;  // the reward, no probability
  return body;
}

std::vector<std::optional<double>> scores_in(const HttpForm& form, std::string_view body,
                                             std::size_t rows) {
  const json answer = json::parse(body, nullptr, false);
  const char* key = form.api == HttpApi::tq ? "rewards" : "data";
  if (form.api == HttpApi::rerank) key = "results";
  const json* list = member(answer, key);
  if (list == nullptr || !list->is_array()) {
    throw no_answer(fmt::format("no JSON object with a list of {}", key));
  }
  std::vector<std::optional<double>> scores(rows);
  if (form.api == HttpApi::tq) {
    if (list->size() != rows) {
      throw no_answer(fmt::format("{} {} for {} rows", list->size(), key, rows));
    }
    for (std::size_t i = 0; i < rows; ++i) scores[i] = number(&(*list)[i]);
    return scores;
  }
  std::vector<bool> seen(rows, false);
  for (const json& item : *list) {
    const json* index = member(item, "index");
    const std::size_t i =
        index != nullptr && index->is_number_unsigned() ? index->get<std::size_t>() : rows;
    if (i >= rows || seen[i]) throw no_answer("an index that is missing, unknown or used twice");
    seen[i] = true;
    scores[i] = item_score(form.api, item);
  }
  return scores;
}

}  // namespace tq
