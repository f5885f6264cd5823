// The words of a report, the same in HTML and in Markdown: how numbers are written, the verdict,
// and the columns of the summary. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "transferq/eval/report/summary.hpp"

namespace tq::report {

std::string number(double value);  // 3 significant places or more: 0.123, 45.6
std::string number(const std::optional<double>& value);  // "–" when missing
std::string interval(const std::optional<Estimate>& estimate, bool sign = false);
std::string p_value(const std::optional<double>& p);

// In plain words: which run has the most reward and what it costs, and whether the order
// plain < ARGS, CD < TQ* is shown, is not shown, or can't be judged.
std::string verdict(const Summary& summary);

// A table of the summary: what stands above a column, what it means, and one cell a run.
struct Column {
  std::string title, meaning;
  std::vector<std::string> cells;
};
struct Table {
  std::string title;
  std::vector<Column> columns;  // the first is the run's name
};
std::vector<Table> tables(const Summary& summary);

}  // namespace tq::report
