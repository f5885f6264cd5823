#include "eval_setup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>

#include "profiles.hpp"
#include "setup_file.hpp"
#include "setup_paths.hpp"
#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"

namespace tq::app {
namespace {

namespace fs = std::filesystem;

// Outside of all tables, beside flags of tq generate.
const std::vector<std::string> kTopKeys{"name", "description", "duration", "seeds",  "against",
                                        "data", "metrics",     "judge",    "decoder"};

// One table of the file, whose keys are taken one by one; whatever is left over is a mistake.
class Section {
 public:
  Section(toml::table table, std::string name, std::string path)
      : table_(std::move(table)), name_(std::move(name)), path_(std::move(path)) {}

  // The table under a key, which is then no longer there. Moved: a copy of a node has forgotten its
  // line.
  std::optional<toml::table> take_table(const std::string& key) {
    known_.push_back(key);
    toml::node* node = table_.get(key);
    if (node == nullptr) return std::nullopt;
    if (!node->is_table()) fail(*node, key, "must be a table");
    std::optional<toml::table> out(std::move(*node->as_table()));
    table_.erase(key);
    return out;
  }
  std::string text(const std::string& key, std::string fallback = "") {
    return take<std::string>(key, std::move(fallback), "a text in quotes");
  }
  std::uint64_t whole(const std::string& key, std::uint64_t fallback) {
    const auto otherwise = static_cast<std::int64_t>(fallback);
    return static_cast<std::uint64_t>(
        take<std::int64_t>(key, otherwise, "a whole number, 0 or more",
                           [](std::int64_t value) { return value >= 0; }));
  }
  bool yes(const std::string& key) { return take<bool>(key, false, "true or false"); }
  toml::table& table() { return table_; }

  [[noreturn]] void fail(const toml::node& node, const std::string& key,
                         const std::string& what) const {
    throw Error(ErrorKind::usage, fmt::format("{} line {}: {} {}", path_, node.source().begin.line,
                                              where(key), what));
  }
  void finish() const {
    if (table_.empty()) return;
    const std::string key(table_.begin()->first.str());
    const std::string near = nearest_name(key, known_);
    fail(table_.begin()->second, key,
         fmt::format("is not known{}; the keys are {}",
                     near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near),
                     fmt::format("{}", fmt::join(known_, ", "))));
  }

 private:
  template <typename T>
  T take(
      const std::string& key, T fallback, const char* what,
      const std::function<bool(const T&)>& good = [](const T&) { return true; }) {
    known_.push_back(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr) return fallback;
    const auto value = node->value_exact<T>();
    if (!value || !good(*value)) fail(*node, key, fmt::format("must be {}", what));
    table_.erase(key);
    return *value;
  }
  std::string where(const std::string& key) const {
    return name_.empty() ? fmt::format("'{}'", key) : fmt::format("'{}' of [{}]", key, name_);
  }

  toml::table table_;
  std::string name_, path_;
  std::vector<std::string> known_;
};

std::vector<std::uint64_t> take_seeds(Section& top) {
  const toml::node* node = top.table().get("seeds");
  if (node == nullptr) return {0};
  const toml::array* list = node->as_array();
  std::vector<std::uint64_t> seeds;
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const auto value = list->get(i)->value_exact<std::int64_t>();
    if (!value || *value < 0) top.fail(*node, "seeds", "must be whole numbers, as in [0, 1, 2]");
    const auto seed = static_cast<std::uint64_t>(*value);
    if (std::find(seeds.begin(), seeds.end(), seed) != seeds.end()) {
      top.fail(*node, "seeds", fmt::format("has {} twice", seed));
    }
    seeds.push_back(seed);
  }
  if (seeds.empty()) top.fail(*node, "seeds", "must be whole numbers, as in [0, 1, 2]");
  top.table().erase("seeds");
  return seeds;
}

void read_data(EvalSetup& setup, Section section, const std::string& path) {
  const std::string prompts = section.text("prompts");
  setup.prompts = fs::path(path).parent_path() / prompts;
  setup.prompts_format = section.text("format", "auto");
  setup.sample = section.whole("sample", 0);
  setup.sample_seed = section.whole("seed", 0);
  section.finish();  // a misspelt key is told before the one that is missing for it
  if (prompts.empty()) {
    throw Error(ErrorKind::usage, fmt::format("{}: [data] needs prompts = \"FILE\"", path));
  }
}

void read_metrics(EvalSetup& setup, Section section, const fs::path& folder) {
  if (const auto rewards = section.take_table("rewards")) {
    for (const auto& [name, list] : *rewards) {
      const std::string key(name.str());
      setup.rewards[key] = list_beside(setup_value(list, key), folder);
    }
  }
  setup.embedding = file_beside(section.text("embedding"), folder);
  setup.perplexity = section.yes("perplexity");
  section.finish();
}

Spec read_judge(const toml::table& table, const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  Spec spec;
  for (const auto& [key, node] : table) {
    std::string value = setup_value(node, std::string(key.str()));
    if (key.str() == "prompt") value = (folder / value).string();
    if (key.str() == "policy") value = list_beside(value, folder);
    spec.values[std::string(key.str())] = std::move(value);
  }
  return spec;
}

// What is written in the place of the flag --seed.
void check_no_seed(const toml::table& table, const std::string& path) {
  const toml::node* node = table.get("seed");
  if (node == nullptr) return;
  throw Error(ErrorKind::usage,
              fmt::format("{} line {}: no key 'seed'; write seeds = [0, 1] at the top of the file, "
                          "for all runs alike",
                          path, node->source().begin.line));
}

// The flags of tq generate that a file may set.
void add_run_flags(CLI::App& command, DecodingFlags& flags) {
  command.name("generate");
  add_decoding_flags(command, flags);
  command.remove_option(command.get_option("--seed"));
  command.remove_option(command.get_option("--setup"));
}

// The keys outside of all tables, once those of the experiment itself are taken.
void check_top(const toml::table& table, std::vector<std::string> known, const std::string& path) {
  check_no_seed(table, path);
  CLI::App command;
  DecodingFlags unused;
  add_run_flags(command, unused);
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      if (name != "help") known.push_back(name);
    }
  }
  for (const auto& [k, node] : table) {
    const std::string key(k.str());
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string near = nearest_name(key, known);
    throw Error(ErrorKind::usage,
                fmt::format("{} line {}: no key '{}'{}; the keys are {}, and the flags of tq "
                            "generate --help",
                            path, node.source().begin.line, key,
                            near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near),
                            fmt::join(kTopKeys, ", ")));
  }
}

// Its name is a part of its rows' ids, where it must be no word of theirs (experiment.hpp).
std::string take_name(toml::table& flags, const std::string& path) {
  const toml::node* name = flags.get("name");
  const auto text = name != nullptr ? name->value_exact<std::string>() : std::nullopt;
  const auto line = (name != nullptr ? name->source() : flags.source()).begin.line;
  if (!text || text->empty() || text->find('/') != std::string::npos) {
    throw Error(ErrorKind::usage,
                fmt::format("{} line {}: each [[decoder]] needs a name = \"TEXT\", without '/'",
                            path, line));
  }
  if (*text == "error" || *text == "judge") {
    throw Error(ErrorKind::usage, fmt::format("{} line {}: a run can't be named '{}', as ids of "
                                              "rows begin with that; choose another name",
                                              path, line, *text));
  }
  flags.erase("name");
  return *text;
}

// A command line of tq generate for one run: what the file says of it, and else of all.
RunSetup read_run(toml::table flags, const toml::table& all, const SessionFlags& defaults,
                  const std::string& path) {
  RunSetup run;
  run.name = take_name(flags, path);
  check_no_seed(flags, path);
  CLI::App command;
  add_run_flags(command, run.flags);
  apply_setup_table(command, flags, path);
  apply_setup_table(command, all, path);
  // A profile for all runs is for those that roll out.
  const bool own = flags.contains("profile") || flags.contains("budget");
  const std::string& decoder = run.flags.decoder.name;
  const bool other = flags.contains("decoder") && decoder != "tq" && decoder != "cd";
  if (own || !other) apply_profile(command, run.flags.profile, run.flags.budget);
  if (defaults.threads > 0) run.flags.threads = defaults.threads;
  if (defaults.gpu_layers >= 0) run.flags.gpu_layers = defaults.gpu_layers;
  for (const toml::table* table : {static_cast<const toml::table*>(&flags), &all}) {
    for (const auto& [key, value] : *table) {
      run.given.emplace(std::string(key.str()), setup_value(value, std::string(key.str())));
    }
  }
  return run;
}

}  // namespace

std::size_t EvalSetup::index_of(const std::string& run) const {
  const auto at =
      std::find_if(runs.begin(), runs.end(), [&](const RunSetup& one) { return one.name == run; });
  return static_cast<std::size_t>(at - runs.begin());
}

EvalSetup read_eval_setup(const std::string& path, const SessionFlags& defaults) {
  Section top(read_setup(path), "", path);
  EvalSetup setup;
  std::ifstream file(path, std::ios::binary);
  setup.text.assign(std::istreambuf_iterator<char>(file), {});
  setup.name = top.text("name", fs::path(path).stem().string());
  setup.description = top.text("description");
  setup.duration = top.text("duration");
  setup.against = top.text("against");
  setup.seeds = take_seeds(top);
  auto data = top.take_table("data");
  auto metrics = top.take_table("metrics");
  const auto judge = top.take_table("judge");
  toml::node* runs = top.table().get("decoder");
  const bool any_runs = runs != nullptr && runs->is_array_of_tables();
  toml::array list;
  if (any_runs) {
    list = std::move(*runs->as_array());
    top.table().erase("decoder");
  }
  check_top(top.table(), kTopKeys, path);
  if (!data)
    throw Error(ErrorKind::usage,
                fmt::format("{}: a table [data] with prompts = \"FILE\" is missing", path));
  read_data(setup, Section(std::move(*data), "data", path), path);
  if (metrics) {
    const fs::path folder = fs::path(path).parent_path();
    read_metrics(setup, Section(std::move(*metrics), "metrics", path), folder);
  }
  if (judge) setup.judge = read_judge(*judge, path);
  if (!any_runs) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: no runs; write a table [[decoder]] with a name for each", path));
  }
  std::set<std::string> names;
  for (toml::node& node : list) {
    const auto line = node.source().begin.line;
    setup.runs.push_back(read_run(std::move(*node.as_table()), top.table(), defaults, path));
    if (!names.insert(setup.runs.back().name).second) {
      throw Error(ErrorKind::usage, fmt::format("{} line {}: two runs are named '{}'", path, line,
                                                setup.runs.back().name));
    }
  }
  if (setup.against.empty()) setup.against = setup.runs.front().name;
  if (names.count(setup.against) == 0) {
    const std::vector<std::string> known(names.begin(), names.end());
    const std::string near = nearest_name(setup.against, known);
    throw Error(
        ErrorKind::usage,
        fmt::format("{}: against = '{}' is the name of no [[decoder]]{}", path, setup.against,
                    near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near)));
  }
  return setup;
}

}  // namespace tq::app
