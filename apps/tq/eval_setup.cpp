#include "eval_setup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "setup_file.hpp"
#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"

namespace tq::app {
namespace {

namespace fs = std::filesystem;

// One table of the file, whose keys are taken one by one; whatever is left over is a mistake.
class Section {
 public:
  Section(toml::table table, std::string name, std::string path)
      : table_(std::move(table)), name_(std::move(name)), path_(std::move(path)) {}

  // The node under a key, which is then no longer there; null where there is none.
  std::unique_ptr<toml::table> take_table(const std::string& key) {
    auto out = std::make_unique<toml::table>();
    known_.push_back(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr) return nullptr;
    if (!node->is_table()) fail(*node, key, "must be a table");
    *out = *node->as_table();
    table_.erase(key);
    return out;
  }
  std::string text(const std::string& key, std::string fallback = "") {
    return take<std::string>(key, std::move(fallback), "a text in quotes");
  }
  std::uint64_t whole(const std::string& key, std::uint64_t fallback) {
    const auto value =
        take<std::int64_t>(key, static_cast<std::int64_t>(fallback), "a whole number");
    if (value < 0)
      throw Error(ErrorKind::usage, fmt::format("{}: {} must be 0 or more", path_, where(key)));
    return static_cast<std::uint64_t>(value);
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
  void knows(const std::string& key) { known_.push_back(key); }

 private:
  template <typename T>
  T take(const std::string& key, T fallback, const char* what) {
    known_.push_back(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr) return fallback;
    const auto value = node->value_exact<T>();
    if (!value) fail(*node, key, fmt::format("must be {}", what));
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
  if (prompts.empty()) {
    throw Error(ErrorKind::usage, fmt::format("{}: [data] needs prompts = \"FILE\"", path));
  }
  setup.prompts = fs::path(path).parent_path() / prompts;
  setup.prompts_format = section.text("format", "auto");
  setup.sample = section.whole("sample", 0);
  setup.sample_seed = section.whole("seed", 0);
  section.finish();
}

void read_metrics(EvalSetup& setup, Section section) {
  if (const auto rewards = section.take_table("rewards")) {
    for (const auto& [name, list] : *rewards) {
      setup.rewards[std::string(name.str())] = setup_value(list, std::string(name.str()));
    }
  }
  setup.embedding = section.text("embedding");
  setup.perplexity = section.yes("perplexity");
  section.finish();
}

// A template's path is relative to the setup.
Spec read_judge(const toml::table& table, const std::string& path) {
  Spec spec;
  for (const auto& [key, node] : table) {
    std::string value = setup_value(node, std::string(key.str()));
    if (key.str() == "prompt") value = (fs::path(path).parent_path() / value).string();
    spec.values[std::string(key.str())] = std::move(value);
  }
  return spec;
}

// A command line of tq generate for one run: what the file says of it, and else of all.
RunSetup read_run(const toml::table& own, const toml::table& all, const SessionFlags& defaults,
                  const std::string& path) {
  RunSetup run;
  toml::table flags = own;
  const toml::node* name = flags.get("name");
  const auto text = name != nullptr ? name->value_exact<std::string>() : std::nullopt;
  const bool taken = text && (*text == "judge" || *text == "error");  // as rows' ids begin
  if (!text || text->empty() || taken || text->find('/') != std::string::npos) {
    throw Error(ErrorKind::usage,
                fmt::format("{} line {}: each [[decoder]] needs a name = \"TEXT\", without '/', "
                            "neither judge nor error",
                            path, own.source().begin.line));
  }
  run.name = *text;
  flags.erase("name");
  CLI::App command;
  command.name("generate");
  add_decoding_flags(command, run.flags);
  command.remove_option(command.get_option("--seed"));
  command.remove_option(command.get_option("--setup"));
  apply_setup_table(command, flags, path);
  apply_setup_table(command, all, path);
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
  const auto data = top.take_table("data");
  if (!data)
    throw Error(ErrorKind::usage,
                fmt::format("{}: a table [data] with prompts = \"FILE\" is missing", path));
  read_data(setup, Section(*data, "data", path), path);
  if (const auto metrics = top.take_table("metrics")) {
    read_metrics(setup, Section(*metrics, "metrics", path));
  }
  if (const auto judge = top.take_table("judge")) setup.judge = read_judge(*judge, path);

  const toml::node* runs = top.table().get("decoder");
  if (runs == nullptr || !runs->is_array_of_tables()) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: no runs; write a table [[decoder]] with a name for each", path));
  }
  const toml::array list = *runs->as_array();
  top.table().erase("decoder");
  std::set<std::string> names;
  for (const toml::node& node : list) {
    setup.runs.push_back(read_run(*node.as_table(), top.table(), defaults, path));
    if (!names.insert(setup.runs.back().name).second) {
      throw Error(ErrorKind::usage, fmt::format("{} line {}: two runs are named '{}'", path,
                                                node.source().begin.line, setup.runs.back().name));
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
