// Comma-separated values as RFC 4180 defines them, read strictly: a field with a comma, a quote or
// a line break stands in quotes, and a quote in it is doubled. Lines end by LF or CRLF; blank lines
// are skipped; every record has as many fields as the first.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tq {

struct CsvRecord {
  std::size_t line = 0;   // where it begins, counted from 1
  std::string_view text;  // the record as it stands in the file
  std::vector<std::string> fields;
};

// Throws Error (input), naming the line, for a quote that is not closed or stands where none may,
// and for a record of another length than the first.
std::vector<CsvRecord> parse_csv(std::string_view text);

// The first record alone, for a look at the header.
CsvRecord parse_csv_header(std::string_view text);

}  // namespace tq
