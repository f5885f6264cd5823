#include "transferq/eval/examples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"
#include "transferq/eval/example_row.hpp"
#include "transferq/eval/json_fields.hpp"
#include "transferq/eval/text_file.hpp"

namespace tq {
namespace {

using nlohmann::json;

// A piece of the file that should be one row.
struct Piece {
  std::size_t line;
  std::string_view text;
};

std::vector<Piece> lines_of(std::string_view text) {
  std::vector<Piece> out;
  for (std::size_t line = 1, at = 0; at < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view piece = text.substr(at, end - at);
    if (!blank(std::string(piece))) out.push_back({line, piece});
    at = end + 1;
  }
  return out;
}

// The elements of a JSON array, each where it begins, so that errors can name its line. Only
// strings and brackets are understood here: the elements are parsed one by one. The array's own
// brackets must be there, and nothing behind them.
std::vector<Piece> elements_of(std::string_view text) {
  std::vector<Piece> out;
  std::size_t line = 1, depth = 0, from = std::string_view::npos, from_line = 0, close = 0;
  bool in_string = false, closed = false;
  const auto finish = [&](std::size_t end) {
    if (from != std::string_view::npos) out.push_back({from_line, text.substr(from, end - from)});
    from = std::string_view::npos;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    const bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (closed && !space) break;
    if (depth == 1 && !in_string && !space && c != ',' && c != ']' &&
        from == std::string_view::npos) {
      from = i;
      from_line = line;
    }
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && depth > 0 && --depth == 0) {
      finish(i);
      closed = true;
      close = i;
    } else if (c == ',' && depth == 1) {
      finish(i);
    }
  }
  if (!closed || text.find_first_not_of(" \t\r\n", close + 1) != std::string_view::npos) {
    throw Error(ErrorKind::input, fmt::format("line {}: the JSON array does not end as one", line));
  }
  return out;
}

ExampleFormat detect(const Piece& first, bool array) {
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

ExampleRow parse_row(const Piece& piece, ExampleFormat format) {
  if (const std::size_t at = invalid_utf8(piece.text); at != std::string::npos) {
    throw Error(ErrorKind::input,
                fmt::format("not valid UTF-8 at byte {}; save the file as UTF-8", at + 1));
  }
  if (format == ExampleFormat::labelled) return labelled_row(piece.text, piece.line);
  const json row = json::parse(piece.text);
  if (format == ExampleFormat::hh) return dialogue_row(row, piece.line);
  return json_row(row, piece.line);
}

}  // namespace

Examples parse_examples(std::string_view text, const std::string& name, ExampleFormat format) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.substr(0, kMark.size()) == kMark) text.remove_prefix(kMark.size());
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  const bool array = format != ExampleFormat::labelled && begin < text.size() && text[begin] == '[';
  Examples out;
  std::size_t line = 0;
  std::optional<bool> pairs;  // what the file holds
  const auto fail = [&](ErrorKind kind, std::string_view why) {
    return line == 0 ? Error(kind, fmt::format("{} {}", name, why))
                     : Error(kind, fmt::format("{} line {}: {}", name, line, why));
  };
  try {
    const std::vector<Piece> pieces = array ? elements_of(text) : lines_of(text);
    if (pieces.empty()) throw Error(ErrorKind::input, "has no rows");
    for (const Piece& piece : pieces) {
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
