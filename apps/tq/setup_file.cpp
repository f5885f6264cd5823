#include "setup_file.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <sstream>
#include <vector>

#include "setup_paths.hpp"
#include "transferq/core/error.hpp"
#include "transferq/core/spec.hpp"
#include "transferq/core/text.hpp"

namespace tq::app {
namespace {

std::string scalar(const toml::node& node, const std::string& key) {
  if (const auto* s = node.as_string()) return s->get();
  if (const auto* b = node.as_boolean()) return b->get() ? "true" : "false";
  if (node.is_integer() || node.is_floating_point()) {
    std::ostringstream out;
    if (node.is_integer()) {
      out << node.as_integer()->get();
    } else {
      out << fmt::format("{}", node.as_floating_point()->get());
    }
    return out.str();
  }
  throw Error(ErrorKind::usage,
              fmt::format("setup key '{}' must be a text, a number, true or false, "
                          "or a table of those",
                          key));
}

std::string list(const toml::table& table, const std::string& key);

// A value inside a list: text or number as it is; a table, or several lists, in braces.
std::string item(const toml::node& node, const std::string& key) {
  if (const auto* table = node.as_table()) return '{' + list(*table, key) + '}';
  const auto* array = node.as_array();
  if (array == nullptr) return escape_spec_value(scalar(node, key));
  std::string out;
  for (const toml::node& element : *array) {
    if (!out.empty()) out += ' ';
    out += element.is_string() ? '{' + scalar(element, key) + '}' : item(element, key);
  }
  return out;
}

// With the files that the value names, as found from the setup. What is written goes where the
// command is run.
std::string with_paths(const std::string& value, const std::string& key, const std::string& setup) {
  const std::filesystem::path folder = std::filesystem::path(setup).parent_path();
  if (key == "model" || key == "baseline" || key == "reward" || key == "baseline-reward" ||
      key == "value") {
    return list_beside(value, folder);
  }
  if (key == "data") return files_beside(value, folder);
  return key == "prompts" ? file_beside(value, folder) : value;
}

// {name = "smollm2", system = "Be kind"} as smollm2,system=Be kind.
std::string list(const toml::table& table, const std::string& key) {
  std::string out;
  if (const toml::node* name = table.get("name")) out = escape_spec_value(scalar(*name, key));
  for (const auto& [k, value] : table) {
    const std::string part(k.str());
    if (part == "name") continue;
    if (!out.empty()) out += ',';
    out += part + '=' + item(value, key + "." + part);
  }
  return out;
}

}  // namespace

std::string setup_value(const toml::node& node, const std::string& key) {
  const auto* nested = node.as_table();
  return nested != nullptr ? list(*nested, key) : scalar(node, key);
}

toml::table read_setup(const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) {
    throw Error(ErrorKind::usage, fmt::format("no setup file {}; check the path", path));
  }
  try {
    return toml::parse_file(path);
  } catch (const toml::parse_error& e) {
    throw Error(ErrorKind::usage,
                fmt::format("{} line {}: {}", path, e.source().begin.line, e.description()));
  }
}

void apply_setup_file(CLI::App& command, const std::string& path) {
  apply_setup_table(command, read_setup(path), path);
}

void apply_setup_table(CLI::App& command, const toml::table& table, const std::string& path) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      if (name != "help" && name != "setup") names.push_back(name);
    }
  }
  // Either chooses alpha, or the effort: what is nearer than this table has settled it.
  const auto given = [&](const char* flag) {
    const CLI::Option* option = command.get_option_no_throw(flag);
    return option != nullptr && option->count() > 0;
  };
  const bool alpha = given("--alpha"), nats = given("--kl-budget");
  const bool profile = given("--profile"), budget = given("--budget");
  for (const auto& [k, value] : table) {
    const std::string key(k.str());
    if ((key == "alpha" && nats) || (key == "kl-budget" && alpha)) continue;
    if ((key == "profile" && budget) || (key == "budget" && profile)) continue;
    if (std::find(names.begin(), names.end(), key) == names.end()) {
      const std::string near = nearest_name(key, names);
      throw Error(ErrorKind::usage,
                  fmt::format("{} line {}: no key '{}'{}; the keys are the flags of tq {} --help",
                              path, value.source().begin.line, key,
                              near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near),
                              command.get_name()));
    }
    CLI::Option* option = command.get_option("--" + key);
    if (option->count() > 0) continue;  // the command line wins
    const std::string text = with_paths(setup_value(value, key), key, path);
    try {
      option->add_result(text);
      option->run_callback();
    } catch (const CLI::Error& e) {
      throw Error(ErrorKind::usage,
                  fmt::format("{} line {}: {}", path, value.source().begin.line, e.what()));
    }
  }
}

}  // namespace tq::app
