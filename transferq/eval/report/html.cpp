#include "transferq/eval/report/html.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "transferq/eval/report/distribution.hpp"
#include "transferq/eval/report/escape.hpp"
#include "transferq/eval/report/facts.hpp"
#include "transferq/eval/report/page.hpp"
#include "transferq/eval/report/scatter.hpp"
#include "transferq/eval/report/svg.hpp"
#include "transferq/eval/report/wording.hpp"

namespace tq::report {
namespace {

using nlohmann::ordered_json;

std::string table_html(const Table& table) {
  std::string out =
      fmt::format("<h3>{}</h3><div class=\"wide\"><table><thead><tr>", html_text(table.title));
  for (const Column& c : table.columns) {
    out += fmt::format("<th scope=\"col\">{}<small>{}</small></th>", html_text(c.title),
                       html_text(c.meaning));
  }
  out += "</tr></thead><tbody>";
  for (std::size_t row = 0; row < table.columns.front().cells.size(); ++row) {
    out += "<tr>";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const Column& c = table.columns[i];
      if (i == 0) {
        out += fmt::format(
            "<th scope=\"row\"><svg class=\"key\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">"
            "<use href=\"#m{}\"/></svg>{}</th>",
            row, html_text(c.cells[row]));
      } else {
        out += fmt::format("<td data-title=\"{}\">{}</td>", html_text(c.title),
                           html_text(c.cells[row]));
      }
    }
    out += "</tr>";
  }
  return out + "</tbody></table></div>";
}

std::string figure(const std::string& svg, const std::string& title, const std::string& caption) {
  if (svg.empty()) return "";
  return fmt::format("<figure><h3>{}</h3>{}<figcaption>{}</figcaption></figure>", html_text(title),
                     svg, html_text(caption));
}

std::string charts_html(const Summary& summary) {
  return figure(cost_chart(summary), "Reward against cost",
                "Bars are 95% intervals. The dashed line joins the runs that no run beats in both "
                "reward and cost.") +
         figure(kl_chart(summary), "Reward against KL",
                "How far a run moved from the reference for its reward; the table says how each KL "
                "is known.") +
         figure(distribution_chart(summary), "Rewards of the responses",
                "Shape: density. Box: middle half, with the median; line: 5% to 95%; sign: mean.");
}

std::string facts_html(const Results& results) {
  std::string out = "<dl>";
  for (const Fact& fact : facts(results)) {
    out += fmt::format("<dt>{}</dt><dd>{}</dd>", html_text(fact.name), html_text(fact.value));
  }
  out += "</dl>";
  const auto block = [&](const char* title, const char* id, const std::string& text) {
    if (text.empty()) return;
    out += fmt::format(
        "<div class=\"block\"><h3>{}</h3><button type=\"button\" class=\"copy\" data-of=\"{}\" "
        "hidden>Copy</button><pre id=\"{}\" tabindex=\"0\">{}</pre></div>",
        title, id, id, html_text(text));
  };
  block("To run it again", "command", text_of(results, "command"));
  block("The setup", "setup", text_of(results, "setup"));
  return out;
}

// The signs of the runs, which tables and answers refer to.
std::string run_signs(std::size_t runs) {
  std::string out;
  for (std::size_t i = 0; i < runs; ++i) {
    out +=
        fmt::format("<symbol id=\"m{}\" viewBox=\"0 0 16 16\">{}</symbol>", i, svg::mark(i, 8, 8));
  }
  return out;
}

std::string replaced(std::string_view page, const std::map<std::string, std::string>& parts) {
  std::string out;
  while (true) {
    const std::size_t open = page.find("{{");
    const std::size_t close = open == page.npos ? open : page.find("}}", open);
    if (close == page.npos) return out.append(page);
    out.append(page.substr(0, open));
    out += parts.at(std::string(page.substr(open + 2, close - open - 2)));
    page.remove_prefix(close + 2);
  }
}

ordered_json rounded(const std::optional<double>& value) {
  if (!value) return nullptr;
  return std::round(*value * 1e4) / 1e4;
}

ordered_json answer_json(const Answer& answer) {
  auto changed = ordered_json::array();
  std::size_t at = 0;
  for (const auto& [begin, end] : answer.changed) {
    changed.push_back(begin - at);
    changed.push_back(end - begin);
    at = end;
  }
  return ordered_json::array({answer.run, answer.seed, answer.text, rounded(answer.reward),
                              rounded(answer.kl), answer.cut ? 1 : 0, std::move(changed)});
}

}  // namespace

ordered_json answers_json(const Results& results) {
  std::vector<std::vector<const Answer*>> by_prompt(results.prompts.size());
  for (const Answer& answer : results.answers) by_prompt[answer.prompt].push_back(&answer);
  ordered_json out{{"runs", ordered_json::array()}, {"prompts", ordered_json::array()}};
  for (const Run& run : results.runs) out["runs"].push_back(run.name);
  for (std::size_t i = 0; i < results.prompts.size(); ++i) {
    const Asked& asked = results.prompts[i];
    auto before = ordered_json::array();
    for (const auto& [role, text] : asked.before) before.push_back({role, text});
    std::sort(by_prompt[i].begin(), by_prompt[i].end(), [](const Answer* a, const Answer* b) {
      return std::pair(a->run, a->seed) < std::pair(b->run, b->seed);
    });
    auto answers = ordered_json::array();
    for (const Answer* answer : by_prompt[i]) answers.push_back(answer_json(*answer));
    out["prompts"].push_back({{"id", asked.id},
                              {"text", asked.text},
                              {"before", std::move(before)},
                              {"answers", std::move(answers)}});
  }
  return out;
}

std::string html(const Results& results, const Summary& summary) {
  std::string all_tables, all_notes;
  for (const Table& table : tables(summary)) all_tables += table_html(table);
  for (const std::string& note : notes(results, summary)) {
    all_notes += fmt::format("<p class=\"note\">{}</p>", html_text(note));
  }
  const std::string about = text_of(results, "description");
  return replaced(kPageHtml,
                  {{"title", html_text(title_of(results))},
                   {"style", std::string(kPageStyle)},
                   {"script", std::string(kPageScript)},
                   {"description", about.empty() ? "" : fmt::format("<p>{}</p>", html_text(about))},
                   {"verdict", html_text(verdict(summary))},
                   {"notes", all_notes},
                   {"signs", run_signs(summary.runs.size())},
                   {"tables", all_tables},
                   {"charts", charts_html(summary)},
                   {"facts", facts_html(results)},
                   {"counts", fmt::format("{} prompts, {} runs, {} responses", summary.prompts,
                                          summary.runs.size(), summary.answered)},
                   {"answers", script_json(answers_json(results))}});
}

}  // namespace tq::report
