// tq models: what is known by name, what is there, and conversions of it.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/engine/llama/convert.hpp"
#include "transferq/policy/catalog.hpp"
#include "transferq/reward/head_folder.hpp"

namespace tq::app {
namespace {

struct ModelsFlags {
  std::string make;
  bool verify = false;
  bool json = false;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  tq models\n"
    "  tq models --verify              read every file and check its SHA-256\n"
    "  tq models --make smollm2-f32    convert a model that is there to another weight type\n";

struct Row {
  const CatalogEntry& entry;
  std::filesystem::path path;
  bool present;
  std::string state;
};

Row row_of(const CatalogEntry& entry, bool verify) {
  Row row{entry, models_folder() / entry.file, false, "not here"};
  if (!std::filesystem::exists(row.path)) return row;
  row.present = true;
  row.state = "here";
  const bool sized = entry.bytes == 0 || std::filesystem::file_size(row.path) == entry.bytes;
  if (!sized) row.state = "damaged (wrong size)";
  if (verify && sized && !entry.sha256.empty()) {
    row.state = sha256_file(row.path) == entry.sha256 ? "verified" : "damaged (wrong SHA-256)";
  }
  return row;
}

std::string table(const std::vector<Row>& rows) {
  std::string out = fmt::format("models in {}\n", models_folder().string());
  for (const Row& row : rows) {
    const std::uint64_t bytes =
        row.present ? std::filesystem::file_size(row.path) : row.entry.bytes;
    out += fmt::format("  {:<14} {:<10} {:>8}  {}\n", row.entry.name, row.state,
                       bytes == 0 ? "-" : fmt::format("{} MB", bytes / 1000000), row.entry.license);
    out += fmt::format("  {:<14} {}\n", "",
                       row.present ? row.path.string() : fmt::format("from: {}", row.entry.source));
    if (!row.entry.sha256.empty()) {
      out += fmt::format("  {:<14} sha256 {}\n", "", row.entry.sha256);
    }
  }
  out += "reward heads shipped (use as --reward head=NAME)\n";
  for (const std::string& name : shipped_heads()) {
    out += fmt::format("  {:<14} {}\n", name, find_head(name).string());
  }
  return out + "any other GGUF file: --model FILE.gguf\n";
}

nlohmann::ordered_json json_of(const Row& row) {
  return {{"name", row.entry.name},       {"present", row.present},    {"state", row.state},
          {"path", row.path.string()},    {"bytes", row.entry.bytes},  {"sha256", row.entry.sha256},
          {"license", row.entry.license}, {"source", row.entry.source}};
}

void make(const std::string& name) {
  for (const CatalogEntry& entry : catalog()) {
    if (entry.name != name || entry.made_from.empty()) continue;
    const std::filesystem::path out = models_folder() / entry.file;
    if (!std::filesystem::exists(out)) {
      llama::convert_model(find_model(entry.made_from), out, entry.type);
    }
    print(out.string() + "\n");
    return;
  }
  throw Error(ErrorKind::usage,
              fmt::format("'{}' is no conversion that tq knows; `tq models` lists "
                          "them",
                          name));
}

}  // namespace

void add_models(CLI::App& app) {
  auto flags = std::make_shared<ModelsFlags>();
  CLI::App* command = app.add_subcommand("models", "List the known models and reward heads");
  command->add_option("--make", flags->make, "Convert a model that is here to this one")
      ->option_text("NAME");
  command->add_flag("--verify", flags->verify, "Check the SHA-256 of each file");
  command->add_flag("--json", flags->json, "Print a row of JSON a model");
  command->footer(kExamples);
  command->callback([flags] {
    if (!flags->make.empty()) return make(flags->make);
    std::vector<Row> rows;
    for (const CatalogEntry& entry : catalog()) rows.push_back(row_of(entry, flags->verify));
    if (flags->json) {
      for (const Row& row : rows) print(json_of(row).dump() + "\n");
    } else {
      print(table(rows));
    }
    for (const Row& row : rows) {
      if (row.state.rfind("damaged", 0) == 0) {
        throw Error(ErrorKind::model,
                    fmt::format("{} is {}; delete it and run `{}` again", row.path.string(),
                                row.state, how_to_get(row.entry)));
      }
    }
  });
}

}  // namespace tq::app
