#include "transferq/eval/data/csv.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

[[noreturn]] void refuse(std::size_t line, std::string_view why) {
  throw Error(ErrorKind::input, fmt::format("line {}: {}", line, why));
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // The next record that is not a blank line; false at the end.
  bool next(CsvRecord& record) {
    while (at_ < text_.size()) {
      record = {line_, {}, {}};
      const std::size_t begin = at_;
      bool more = true;
      while (more) more = field(record);
      record.text = text_.substr(begin, end_ - begin);
      if (!record.text.empty()) return true;
    }
    return false;
  }

 private:
  // Reads one field and what ends it; false when that ends the record.
  bool field(CsvRecord& record) {
    std::string value;
    if (at_ < text_.size() && text_[at_] == '"') {
      value = quoted();
    } else {
      const std::size_t end = std::min(text_.find_first_of(",\"\r\n", at_), text_.size());
      value = text_.substr(at_, end - at_);
      at_ = end;
      if (at_ < text_.size() && text_[at_] == '"') {
        refuse(line_,
               "a quote inside a field that has none around it; put the field in quotes and "
               "double the quote");
      }
    }
    record.fields.push_back(std::move(value));
    end_ = at_;
    if (at_ == text_.size()) return false;
    if (text_[at_] == ',') {
      ++at_;
      return true;
    }
    if (text_[at_] == '\r' && text_.substr(at_, 2) == "\r\n") ++at_;
    if (text_[at_] == '\r') refuse(line_, "a carriage return that ends no line");
    if (text_[at_] != '\n') refuse(line_, "text behind the quote that ends a field");
    ++at_;
    ++line_;
    return false;
  }

  std::string quoted() {
    const std::size_t first = line_;
    std::string value;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] != '"') {
        value += text_[at_];
      } else if (text_.substr(at_, 2) == "\"\"") {
        value += text_[at_++];
      } else {
        ++at_;
        return value;
      }
    }
    refuse(first, "the quote that begins a field here is never closed");
  }

  std::string_view text_;
  std::size_t at_ = 0, end_ = 0, line_ = 1;
};

}  // namespace

std::vector<CsvRecord> parse_csv(std::string_view text) {
  std::vector<CsvRecord> records;
  Reader reader(text);
  for (CsvRecord record; reader.next(record);) {
    if (!records.empty() && record.fields.size() != records.front().fields.size()) {
      refuse(record.line,
             fmt::format("{} fields where the header has {}; a field with a comma must "
                         "stand in quotes",
                         record.fields.size(), records.front().fields.size()));
    }
    records.push_back(std::move(record));
  }
  return records;
}

CsvRecord parse_csv_header(std::string_view text) {
  CsvRecord record;
  Reader(text).next(record);
  return record;
}

}  // namespace tq
