// tq report: what an experiment of tq eval found, as a page and as Markdown.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "commands.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/eval/report/html.hpp"
#include "transferq/eval/report/markdown.hpp"
#include "transferq/eval/report/results_reader.hpp"
#include "transferq/eval/report/summary.hpp"
#include "write_file.hpp"

namespace tq::app {
namespace {

struct ReportFlags {
  std::vector<std::string> files;
  std::string out, markdown;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  tq report results.jsonl\n"
    "      the verdict and the tables, as Markdown\n"
    "  tq report results.jsonl --out report.html --markdown report.md\n"
    "      one page with charts and the answers side by side, for a browser\n"
    "  tq report shard-1.jsonl shard-2.jsonl --out report.html\n"
    "      the shards of one experiment together\n";

void run_report(const ReportFlags& f) {
  for (const std::string& file : f.files) {
    for (const std::string& out : {f.out, f.markdown}) {
      std::error_code code;
      if (out.empty() || !std::filesystem::equivalent(file, out, code)) continue;
      throw Error(ErrorKind::usage,
                  fmt::format("{} holds the results and would be overwritten; choose another path "
                              "for the report",
                              out));
    }
  }
  const report::Results results =
      report::read_results(std::vector<std::filesystem::path>(f.files.begin(), f.files.end()));
  const report::Summary summary = report::summarise(results);
  for (const std::string& note : results.notes) fmt::print(stderr, "{}\n", note);
  if (!f.out.empty()) write_file(f.out, report::html(results, summary));
  if (!f.markdown.empty()) write_file(f.markdown, report::markdown(results, summary));
  if (f.out.empty() && f.markdown.empty()) print(report::markdown(results, summary));
}

}  // namespace

void add_report(CLI::App& app) {
  auto flags = std::make_shared<ReportFlags>();
  CLI::App* command = app.add_subcommand("report", "Show what an experiment of tq eval found");
  command
      ->add_option("files", flags->files,
                   "Results files of one setup; those of several shards are merged")
      ->option_text("RESULTS.jsonl ...")
      ->required();
  command->add_option("--out", flags->out, "Write a page for a browser that needs no other file")
      ->option_text("REPORT.html");
  command
      ->add_option("--markdown", flags->markdown,
                   "Write verdict and tables as Markdown (without --out: to standard output)")
      ->option_text("FILE.md");
  command->footer(kExamples);
  command->callback([flags] { run_report(*flags); });
}

}  // namespace tq::app
