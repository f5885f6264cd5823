#include "transferq/eval/examples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "transferq/core/error.hpp"
#include "transferq/eval/data/row_texts.hpp"
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
  try {
    const std::vector<RowText> pieces = array ? elements_of(text) : lines_of(text);
    if (pieces.empty()) throw Error(ErrorKind::input, "has no rows");
    for (const RowText& piece : pieces) {
      line = piece.line;
      if (format == ExampleFormat::automatic) format = detect(piece, array);
      ExampleRow row = parse_row(piece, format);
      const bool is_pair = std::holds_alternative<Pair>(row);
      if (pairs.value_or(is_pair) != is_pair) {
        throw Error(ErrorKind::input,
                    "pairs and single responses in one file; put each into a file of its own");
      }
      pairs = is_pair;
      add(out, std::move(row));
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
