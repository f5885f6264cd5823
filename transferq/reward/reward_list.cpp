#include "transferq/reward/reward_list.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "transferq/core/error.hpp"
#include "transferq/core/spec.hpp"
#include "transferq/reward/head_folder.hpp"
#include "transferq/reward/linear_head.hpp"
#include "transferq/reward/rules.hpp"

namespace tq {
namespace {

struct Context {
  ModelStore& models;
  const std::shared_ptr<const Model>& policy;
  Format format;
};

struct Kind {
  std::set<std::string> keys;  // the kind is given by the first of these that a list has
  std::function<std::unique_ptr<Reward>(const Spec&, const Context&)> make;
};

std::size_t whole_number(const Spec& spec, const std::string& key, double fallback) {
  const double value = spec.number(key, fallback);
  // A double holds every whole number up to 2^53; NaN and infinities are refused here, too.
  if (!(value >= 0 && value <= 0x1p53 && value == std::floor(value))) {
    throw Error(ErrorKind::usage,
                fmt::format("{}={} must be a whole number, 0 or more", key, spec.get(key)));
  }
  return static_cast<std::size_t>(value);
}

std::vector<std::string> words(const Spec& spec, const std::string& key) {
  std::string text = spec.get(key);
  if (!text.empty() && text.front() == '@') {
    std::ifstream file(text.substr(1));
    if (!file) {
      throw Error(ErrorKind::io, fmt::format("can't read the word list {}", text.substr(1)));
    }
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

const std::map<std::string, Kind>& kinds() {
  static const std::map<std::string, Kind> table{
      {"head",
       {{"head", "model", "force"},
        [](const Spec& spec, const Context& context) {
          const auto base =
              spec.has("model") ? context.models.model(spec.get("model")) : context.policy;
          return make_linear_head(find_head(spec.get("head")), Policy(base, context.format),
                                  spec.get("force", "0") != "0");
        }}},
      {"length",
       {{"length"},
        [](const Spec& spec, const Context&) {
          return make_length_rule(whole_number(spec, "length", 0));
        }}},
      {"regex",
       {{"regex", "cap"},
        [](const Spec& spec, const Context&) {
          return make_regex_rule(spec.get("regex"), whole_number(spec, "cap", 0));
        }}},
      {"words",
       {{"words", "avoid", "cap"},
        [](const Spec& spec, const Context&) {
          return make_word_rule(words(spec, "words"), words(spec, "avoid"),
                                whole_number(spec, "cap", 0));
        }}},
  };
  return table;
}

}  // namespace

std::unique_ptr<Reward> make_reward(std::string_view list, ModelStore& models,
                                    const std::shared_ptr<const Model>& policy, Format format) {
  std::set<std::string> all;
  std::vector<std::string> names;
  for (const auto& [name, kind] : kinds()) {
    names.push_back(name + "=...");
    all.insert(kind.keys.begin(), kind.keys.end());
  }
  const Spec spec = parse_spec(list, "--reward", all);
  for (const auto& [name, kind] : kinds()) {
    if (!spec.has(name) && !(name == "words" && spec.has("avoid"))) continue;
    for (const auto& [key, value] : spec.values) {
      if (kind.keys.count(key) == 0) {
        throw Error(ErrorKind::usage, fmt::format("--reward {}=... does not take '{}'; it takes {}",
                                                  name, key, fmt::join(kind.keys, ", ")));
      }
    }
    return kind.make(spec, {models, policy, format});
  }
  throw Error(ErrorKind::usage,
              fmt::format("--reward '{}' names no kind of reward; it begins with one of {}", list,
                          fmt::join(names, ", ")));
}

}  // namespace tq
