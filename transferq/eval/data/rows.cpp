#include "transferq/eval/data/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

using nlohmann::json;

bool ends_with_csv(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name.ends_with(".csv") || name.ends_with(".csv.gz");
}

bool has_column(std::string_view text, std::span<const std::string> columns) {
  try {
    const CsvRecord header = parse_csv_header(text);
    return std::any_of(columns.begin(), columns.end(), [&](const std::string& column) {
      return std::find(header.fields.begin(), header.fields.end(), column) != header.fields.end();
    });
  } catch (const Error&) {
    return false;
  }
}

// Two columns of one name would hide one of them.
void check_header(const CsvRecord& header) {
  require_utf8(header.text);
  std::set<std::string> seen;
  for (const std::string& name : header.fields) {
    if (!name.empty() && !seen.insert(name).second) {
      throw Error(ErrorKind::input,
                  fmt::format("line {}: the column '{}' is there twice", header.line, name));
    }
  }
}

}  // namespace

Container container_of(std::string_view text, const std::string& name,
                       std::span<const std::string> columns) {
  if (begins_array(text)) return Container::array;
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || text[begin] == '{') return Container::lines;
  return ends_with_csv(name) || has_column(text, columns) ? Container::csv : Container::lines;
}

Rows::Rows(std::string_view text, Container container) : container_(container) {
  if (container == Container::lines) lines_ = lines_of(text);
  if (container == Container::array) lines_ = elements_of(text);
  if (container != Container::csv) return;
  records_ = parse_csv(text);
  if (records_.empty()) return;
  check_header(records_.front());
  columns_ = std::move(records_.front().fields);
  records_.erase(records_.begin());
}

std::size_t Rows::line(std::size_t row) const {
  return container_ == Container::csv ? records_[row].line : lines_[row].line;
}

std::size_t Rows::number(std::size_t row) const {
  return container_ == Container::lines ? lines_[row].line : row + 1;
}

json Rows::at(std::size_t row) const {
  if (container_ == Container::csv) {
    require_utf8(records_[row].text);
    json object = json::object();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      object[columns_[i]] = records_[row].fields[i];
    }
    return object;
  }
  require_utf8(lines_[row].text);
  try {
    return json::parse(lines_[row].text);
  } catch (const json::parse_error& e) {
    throw Error(ErrorKind::input,
                fmt::format("not valid JSON at byte {}; each {} must be one object", e.byte,
                            container_ == Container::array ? "element" : "line"));
  }
}

}  // namespace tq
