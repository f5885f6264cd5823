// A file's rows as JSON objects, whatever it is written in: JSONL, one JSON array, or CSV, whose
// rows are objects of texts under the names in its header.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "transferq/eval/data/csv.hpp"
#include "transferq/eval/data/row_texts.hpp"

namespace tq {

enum class Container { lines, array, csv };

// What a text is written in. It is CSV when it begins with no bracket or brace and either its name
// ends in .csv (or .csv.gz) or its header has one of `columns`.
Container container_of(std::string_view text, const std::string& name,
                       std::span<const std::string> columns);

// Views into the text, which must outlive it. Its members throw Error (input) that says what is
// wrong with the row; the caller names file and line.
class Rows {
 public:
  Rows(std::string_view text, Container container);

  std::size_t size() const { return lines_.empty() ? records_.size() : lines_.size(); }
  std::size_t line(std::size_t row) const;
  // What names a row that has no name of its own: its line in JSONL, else its place counted from 1
  // (the header is no row).
  std::size_t number(std::size_t row) const;
  nlohmann::json at(std::size_t row) const;

 private:
  Container container_;
  std::vector<RowText> lines_;
  std::vector<CsvRecord> records_;
  std::vector<std::string> columns_;
};

}  // namespace tq
