#include "transferq/eval/examples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "transferq/core/error.hpp"
#include "transferq/eval/data/rows.hpp"
#include "transferq/eval/example_row.hpp"
#include "transferq/eval/json_fields.hpp"
#include "transferq/eval/text_file.hpp"

namespace tq {
namespace {

using nlohmann::json;

ExampleFormat detect(const RowText& first, bool array) {
  const char begin =
      first.text[std::min(first.text.find_first_not_of(" \t\r\n"), first.text.size() - 1)];
  if (array || begin == '{') {
    const json row = json::parse(first.text, nullptr, false);
    return is_dialogue_row(row) ? ExampleFormat::hh : ExampleFormat::json;
  }
  try {
    labelled_row(first.text, first.line);
  } catch (const Error&) {
    throw Error(ErrorKind::input, "the row is neither JSON nor a label and a text");
  }
  return ExampleFormat::labelled;
}

void add(Examples& out, ExampleRow row) {
  if (auto* example = std::get_if<Example>(&row)) {
    out.rows.push_back(std::move(*example));
    return;
  }
  auto& pair = std::get<Pair>(row);
  if (blank(pair.chosen) || blank(pair.rejected)) {
    ++out.empty;
  } else if (pair.chosen == pair.rejected) {
    ++out.identical;
  } else {
    out.pairs.push_back(std::move(pair));
  }
}

ExampleRow parse_row(const RowText& piece, ExampleFormat format) {
  require_utf8(piece.text);
  if (format == ExampleFormat::labelled) return labelled_row(piece.text, piece.line);
  const json row = json::parse(piece.text);
  if (format == ExampleFormat::hh) return dialogue_row(row, piece.line);
  return json_row(row, piece.line);
}

// One of these columns makes a text a CSV file of examples.
const std::array<std::string, 3> kColumns{"response", "text", "chosen"};

// A CSV row has texts alone: a label is read as a number, and an empty prompt is none.
ExampleRow csv_row(json row, std::size_t line) {
  if (const auto label = row.find("label"); label != row.end()) {
    const std::string text = label->get<std::string>();
    const json value = json::parse(text, nullptr, false);
    if (value.is_number() || blank(text)) *label = value.is_number() ? value : json();
  }
  if (const auto prompt = row.find("prompt"); prompt != row.end()) {
    if (blank(prompt->get<std::string>())) row.erase(prompt);
  }
  if (is_dialogue_row(row)) return dialogue_row(row, line);
  return json_row(row, line);
}

}  // namespace

Examples parse_examples(std::string_view text, const std::string& name, ExampleFormat format) {
  text = without_mark(text);
  const bool array = format != ExampleFormat::labelled && begins_array(text);
  Examples out;
  std::size_t line = 0;
  std::optional<bool> pairs;  // what the file holds
  const auto fail = [&](ErrorKind kind, std::string_view why) {
    return line == 0 ? Error(kind, fmt::format("{} {}", name, why))
                     : Error(kind, fmt::format("{} line {}: {}", name, line, why));
  };
  const auto take = [&](ExampleRow row) {
    const bool is_pair = std::holds_alternative<Pair>(row);
    if (pairs.value_or(is_pair) != is_pair) {
      throw Error(ErrorKind::input,
                  "pairs and single responses in one file; put each into a file of its own");
    }
    pairs = is_pair;
    add(out, std::move(row));
  };
  try {
    if (format == ExampleFormat::automatic && container_of(text, "", kColumns) == Container::csv) {
      const Rows rows(text, Container::csv);
      if (rows.size() == 0) throw Error(ErrorKind::input, "has no rows");
      for (std::size_t i = 0; i < rows.size(); ++i) {
        line = rows.line(i);
        take(csv_row(rows.at(i), line));
      }
      return out;
    }
    const std::vector<RowText> pieces = array ? elements_of(text) : lines_of(text);
    if (pieces.empty()) throw Error(ErrorKind::input, "has no rows");
    for (const RowText& piece : pieces) {
      line = piece.line;
      if (format == ExampleFormat::automatic) format = detect(piece, array);
      take(parse_row(piece, format));
    }
  } catch (const json::parse_error& e) {
    throw fail(ErrorKind::input,
               fmt::format("not valid JSON at byte {}; each {} must be one object", e.byte,
                           array ? "element" : "line"));
  } catch (const Error& e) {
    throw fail(e.kind(), e.what());
  }
  return out;
}

Examples read_examples(const std::filesystem::path& path, ExampleFormat format) {
  return parse_examples(read_text_file(path), path.string(), format);
}

}  // namespace tq
