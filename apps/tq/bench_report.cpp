// tq bench: rows as a table, as JSON and as a page.
#include <fmt/format.h>

#include <map>

#include "bench.hpp"
#include "transferq/eval/report/escape.hpp"
#include "transferq/lab/report/plots_page.hpp"

namespace tq::app {
namespace {

using nlohmann::ordered_json;
using report::html_text;

bool is_engine(const BenchRow& row) { return row.what == "engine"; }

// What a row has in each column behind the first; "" where a column does not apply.
struct Column {
  const char* head;
  int width;
  std::string (*cell)(const BenchRow&);
};

std::string number(double value, int digits) {
  return value > 0 ? fmt::format("{:.{}f}", value, digits) : "";
}

const Column kColumns[] = {
    {"s a token", 10,
     [](const BenchRow& r) { return is_engine(r) ? "" : number(r.measured.seconds, 4); }},
    {"x plain", 8, [](const BenchRow& r) { return r.over_plain ? number(*r.over_plain, 1) : ""; }},
    {"evals a token", 14,
     [](const BenchRow& r) { return is_engine(r) ? "" : number(r.measured.evaluations, 1); }},
    {"evals/s", 8, [](const BenchRow& r) { return number(r.measured.evaluations_a_second, 0); }},
    {"of engine", 10,
     [](const BenchRow& r) {
       return r.of_engine ? fmt::format("{:.0f}%", 100 * *r.of_engine) : "";
     }},
    {"tokens/s", 9,
     [](const BenchRow& r) { return is_engine(r) ? "" : number(r.measured.tokens_a_second, 1); }},
    {"first token", 12, [](const BenchRow& r) { return number(r.measured.first_token, 3); }},
    {"peak MiB", 9,
     [](const BenchRow& r) { return r.measured.peak_mib ? number(*r.measured.peak_mib, 0) : ""; }},
};

std::string name_of(const BenchRow& row) {
  return row.shape.empty() ? row.what : fmt::format("{} {}", row.what, row.shape);
}

std::string series_name(const BenchRow& row) {
  return row.together == 1 ? row.what : fmt::format("{}, {} prompts", row.what, row.together);
}

// A line for each kind of row and number of prompts, over the length of the prompt.
lab::Plot plot(const BenchReport& report, const char* title, const char* y, bool engines,
               double (*value)(const BenchRow&)) {
  lab::Plot out{title, "tokens of the prompt (log)", y, true, true};
  std::map<std::string, std::size_t> places;
  for (const BenchRow& row : report.rows) {
    if ((is_engine(row) && !engines) || !(value(row) > 0)) continue;
    const auto [at, fresh] = places.emplace(series_name(row), out.series.size());
    if (fresh) out.series.push_back({at->first, out.series.size(), {}});
    out.series[at->second].points.emplace_back(static_cast<double>(row.prompt_tokens), value(row));
  }
  return out;
}

std::string figures(const BenchReport& report) {
  return lab::figure(plot(report, "Seconds a token", "seconds (log)", false,
                          [](const BenchRow& r) { return r.measured.seconds; }),
                     "Of one prompt, the others going on beside it; without the prompt's own "
                     "evaluation.") +
         lab::figure(plot(report, "Token evaluations a token", "evaluations (log)", false,
                          [](const BenchRow& r) { return r.measured.evaluations; }),
                     "By policies and reward models together; the same on every machine.") +
         lab::figure(
             plot(report, "Token evaluations a second", "evaluations a second (log)", true,
                  [](const BenchRow& r) { return r.measured.evaluations_a_second; }),
             "Of all prompts at work. The engine alone evaluates batches of the decoder's shape: "
             "what lies below it is our own work, and the reward's.");
}

std::string table(const BenchReport& report) {
  std::string out =
      "<div class=\"wide\"><table><thead><tr><th scope=\"col\"></th><th scope=\"col\">prompt</th>"
      "<th scope=\"col\">together</th>";
  for (const Column& c : kColumns) out += fmt::format("<th scope=\"col\">{}</th>", c.head);
  out += "</tr></thead><tbody>";
  for (const BenchRow& row : report.rows) {
    out += fmt::format(
        "<tr><th scope=\"row\">{}</th><td data-title=\"prompt\">{}</td>"
        "<td data-title=\"together\">{}</td>",
        html_text(name_of(row)), row.prompt_tokens, row.together);
    for (const Column& c : kColumns) {
      out += fmt::format("<td data-title=\"{}\">{}</td>", c.head, c.cell(row));
    }
    out += "</tr>";
  }
  return out + "</tbody></table></div>";
}

}  // namespace

std::string bench_header() {
  std::string out = fmt::format("{:>7} {:>9}  {:<14}", "prompt", "together", "");
  for (const Column& c : kColumns) out += fmt::format(" {:>{}}", c.head, c.width);
  return out + "\n";
}

std::string bench_line(const BenchRow& row) {
  std::string out =
      fmt::format("{:>7} {:>9}  {:<14}", row.prompt_tokens, row.together, name_of(row));
  for (const Column& c : kColumns) out += fmt::format(" {:>{}}", c.cell(row), c.width);
  return out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
}

ordered_json bench_json(const BenchReport& report) {
  const auto optional = [](const std::optional<double>& value) {
    return value ? ordered_json(*value) : ordered_json();
  };
  ordered_json rows = ordered_json::array();
  for (const BenchRow& row : report.rows) {
    const Measured& m = row.measured;
    ordered_json out{{"what", row.what},
                     {"prompt_tokens", row.prompt_tokens},
                     {"together", row.together},
                     {"tokens", m.tokens},
                     {"seconds_per_token", m.seconds},
                     {"evaluations_per_token", m.evaluations},
                     {"evaluations_per_second", m.evaluations_a_second},
                     {"tokens_per_second", m.tokens_a_second},
                     {"first_token_seconds", m.first_token},
                     {"peak_mib", optional(m.peak_mib)},
                     {"of_engine", optional(row.of_engine)},
                     {"over_plain", optional(row.over_plain)}};
    if (!row.shape.empty()) out["shape"] = row.shape;
    rows.push_back(std::move(out));
  }
  return {{"model", report.model},
          {"engine", report.engine},
          {"machine", report.machine},
          {"command", report.command},
          {"rows", std::move(rows)}};
}

std::string bench_page(const BenchReport& report) {
  const auto& cpu = report.machine["cpu"];
  const std::string about =
      fmt::format("{}; {}; {}, {} cores", report.model, report.engine,
                  cpu.is_string() ? cpu.get<std::string>() : "a processor without a name",
                  report.machine["cores"].dump());
  return lab::plots_page(
      {"What a token costs", about, report.command}, figures(report),
      fmt::format("<section id=\"rows\"><h2>Rows</h2>{}</section>\n", table(report)));
}

}  // namespace tq::app
