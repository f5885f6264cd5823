#include "transferq/engine/tabular/world.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"

namespace tq::tabular {
namespace {

using nlohmann::json;

[[noreturn]] void fail(const std::string& what, const std::string& problem) {
  throw Error(ErrorKind::input, fmt::format("{}: {}", what, problem));
}

const json& field(const json& object, const char* key, const std::string& what) {
  const auto it = object.find(key);
  if (it == object.end()) fail(what, fmt::format("'{}' is missing", key));
  return *it;
}

std::size_t count(const json& object, const char* key, const std::string& what) {
  const json& value = field(object, key, what);
  if (!value.is_number_integer() || value < 1 || value > 1000000) {
    fail(what, fmt::format("'{}' must be a whole number from 1 to 1000000", key));
  }
  return value.get<std::size_t>();
}

double positive(const json& object, const char* key, const std::string& what) {
  const json& value = field(object, key, what);
  if (!value.is_number() || !(value > 0)) fail(what, fmt::format("'{}' must be above 0", key));
  return value.get<double>();
}

// A key that is not of the form may be a misspelt one that matters.
void check_keys(const json& source, const std::string& what) {
  static const std::vector<std::string> kKeys{
      "seed",   "vocab",           "max_tokens",    "eos",        "alpha", "beta", "top_k",  "sft",
      "reward", "baseline_reward", "prefix_reward", "max_reward", "cases", "name", "comment"};
  for (const auto& [key, value] : source.items()) {
    if (std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end()) continue;
    const std::string near = nearest_name(key, kKeys);
    fail(what, fmt::format("unknown key '{}'{}", key,
                           near.empty() ? fmt::format("; there are {}", fmt::join(kKeys, ", "))
                                        : fmt::format(" (did you mean '{}'?)", near)));
  }
}

// Runs `read` on the prefix and the value of every entry of an object.
template <typename Read>
void each_prefix(const json& object, const std::string& what, const Read& read) {
  if (!object.is_object()) fail(what, "must be an object keyed by prefixes such as \"0.1\"");
  for (const auto& [key, value] : object.items()) {
    try {
      read(parse_prefix(key), value);
    } catch (const Error& error) {
      fail(what, error.what());
    }
  }
}

std::map<Prefix, double> rewards(const json& world, const char* key, std::size_t vocabulary,
                                 const std::string& what) {
  std::map<Prefix, double> out;
  each_prefix(field(world, key, what), fmt::format("{}: '{}'", what, key),
              [&](const Prefix& prefix, const json& value) {
                for (const Token token : prefix) {
                  if (static_cast<std::size_t>(token) >= vocabulary) {
                    throw Error(ErrorKind::input,
                                fmt::format("'{}' has a token outside the vocabulary of {}",
                                            format_prefix(prefix), vocabulary));
                  }
                }
                if (!value.is_number()) {
                  throw Error(ErrorKind::input, fmt::format("the value of '{}' is not a number",
                                                            format_prefix(prefix)));
                }
                out[prefix] = value.get<double>();
              });
  return out;
}

}  // namespace

Table read_table(const json& object, std::size_t vocabulary, const std::string& what) {
  Table table;
  each_prefix(object, what, [&](const Prefix& prefix, const json& value) {
    const auto is_number = [](const json& p) { return p.is_number(); };
    if (!value.is_array() || !std::all_of(value.begin(), value.end(), is_number)) {
      throw Error(ErrorKind::input, fmt::format("the row after '{}' is not a list of numbers",
                                                format_prefix(prefix)));
    }
    table[prefix] = value.get<std::vector<double>>();
  });
  try {
    check_table(table, vocabulary);
  } catch (const Error& error) {
    fail(what, error.what());
  }
  return table;
}

TabularWorld parse_world(const json& source, const std::string& what) {
  if (!source.is_object()) fail(what, "a world is a JSON object");
  check_keys(source, what);
  TabularWorld world;
  world.vocabulary = count(source, "vocab", what);
  world.max_tokens = count(source, "max_tokens", what);
  const auto eos = source.find("eos");
  if (eos != source.end() && !eos->is_null()) {
    if (!eos->is_number_integer() || *eos < 0 || *eos >= world.vocabulary) {
      fail(what, fmt::format("'eos' must be null or a token below {}", world.vocabulary));
    }
    world.end = eos->get<Token>();
  }
  world.alpha = positive(source, "alpha", what);
  world.beta = positive(source, "beta", what);
  world.top_k = count(source, "top_k", what);
  world.sft =
      read_table(field(source, "sft", what), world.vocabulary, fmt::format("{}: 'sft'", what));
  if (world.sft.count({}) == 0) fail(what, "'sft' has no row after the empty prefix \"\"");
  world.reward = rewards(source, "reward", world.vocabulary, what);
  world.baseline_reward = rewards(source, "baseline_reward", world.vocabulary, what);
  if (source.contains("prefix_reward")) {
    world.prefix_reward = rewards(source, "prefix_reward", world.vocabulary, what);
  }
  const auto most = source.find("max_reward");
  if (most != source.end()) {
    if (!most->is_number()) fail(what, "'max_reward' is not a number");
    world.max_reward = most->get<double>();
  }
  world.cases = source.value("cases", json::object());
  if (!world.cases.is_object()) fail(what, "'cases' must be an object");
  return world;
}

TabularWorld load_world(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorKind::io, fmt::format("can't read {}", path.string()));
  json source;
  try {
    source = json::parse(file);
  } catch (const json::exception& error) {
    fail(path.string(), fmt::format("not JSON ({})", error.what()));
  }
  return parse_world(source, path.string());
}

std::shared_ptr<const TabularModel> TabularWorld::model(const Table& policy,
                                                        const std::string& name) const {
  return std::make_shared<TabularModel>(vocabulary, policy,
                                        TabularOptions{.name = name, .end = end, .begin = true});
}

}  // namespace tq::tabular
