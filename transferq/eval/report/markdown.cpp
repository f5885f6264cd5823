#include "transferq/eval/report/markdown.hpp"

#include <fmt/format.h>

#include "transferq/eval/report/escape.hpp"
#include "transferq/eval/report/facts.hpp"
#include "transferq/eval/report/wording.hpp"

namespace tq::report {
namespace {

std::string table(const Table& table) {
  std::string out = fmt::format("## {}\n\n|", table.title);
  for (const Column& column : table.columns)
    out += fmt::format(" {} |", markdown_cell(column.title));
  out += "\n|";
  for (std::size_t i = 0; i < table.columns.size(); ++i) out += i == 0 ? "---|" : "---:|";
  out += "\n";
  for (std::size_t row = 0; row < table.columns.front().cells.size(); ++row) {
    out += "|";
    for (const Column& column : table.columns)
      out += fmt::format(" {} |", markdown_cell(column.cells[row]));
    out += "\n";
  }
  out += "\n";
  std::string meanings;
  for (const Column& column : table.columns) {
    if (column.meaning.empty()) continue;
    meanings += fmt::format("{}*{}*: {}", meanings.empty() ? "" : "; ", markdown_cell(column.title),
                            markdown_cell(column.meaning));
  }
  return out + meanings + ".\n\n";
}

}  // namespace

std::string markdown(const Results& results, const Summary& summary) {
  std::string out = fmt::format("# {}\n\n", markdown_cell(title_of(results)));
  const std::string about = text_of(results, "description");
  if (!about.empty()) out += markdown_cell(about) + "\n\n";
  out += fmt::format("**{}**\n\n", markdown_cell(verdict(summary)));
  for (const std::string& note : notes(results, summary))
    out += fmt::format("- {}\n", markdown_cell(note));
  if (!notes(results, summary).empty()) out += "\n";
  for (const Table& t : tables(summary)) out += table(t);
  out += "## What exactly was run\n\n";
  for (const Fact& fact : facts(results)) {
    out += fmt::format("- {}: {}\n", markdown_cell(fact.name), markdown_cell(fact.value));
  }
  const std::string command = text_of(results, "command"), setup = text_of(results, "setup");
  if (!command.empty()) out += "\nTo run it again:\n\n" + markdown_block(command, "sh");
  if (!setup.empty()) out += "\nThe setup:\n\n" + markdown_block(setup, "toml");
  return out;
}

}  // namespace tq::report
