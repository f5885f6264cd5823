#include "transferq/core/spec.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"

namespace tq {
namespace {

// The offset behind the brace that closes the one at `open`, or npos.
std::size_t group_end(std::string_view text, std::size_t open) {
  std::size_t depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

// The part that begins at `at`, which moves to its comma or the end. A group at the beginning of a
// value, and any behind it, is taken as it is, for whoever reads the inner list.
std::string next_part(std::string_view text, std::size_t& at) {
  std::string part;
  bool in_value = false, starts = false, grouped = false;
  for (; at < text.size() && text[at] != ','; ++at) {
    const char c = text[at];
    const std::size_t end =
        c == '{' && (starts || grouped) ? group_end(text, at) : std::string_view::npos;
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    if (end != std::string_view::npos) {
      grouped = true;
      part += text.substr(at, end - at);
      at = end - 1;
    } else if (c == '\\' && (next == ',' || next == '\\' || (next == '{' && starts))) {
      part += text[++at];
    } else {
      part += c;
    }
    starts = c == '=' && !in_value;
    in_value = in_value || c == '=';
  }
  return part;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size(); ++at) parts.push_back(next_part(text, at));
  return parts;
}

}  // namespace

std::string Spec::get(const std::string& key, const std::string& fallback) const {
  const auto it = values.find(key);
  return it == values.end() ? fallback : it->second;
}

double Spec::number(const std::string& key, double fallback) const {
  const auto it = values.find(key);
  if (it == values.end()) return fallback;
  double value = 0;
  const char* end = it->second.data() + it->second.size();
  const auto [at, error] = std::from_chars(it->second.data(), end, value);
  if (error != std::errc() || at != end) {
    throw Error(ErrorKind::usage,
                fmt::format("{}={} in '{}' is not a number", key, it->second, text));
  }
  return value;
}

Spec parse_spec(std::string_view text, std::string_view what, const std::set<std::string>& keys) {
  Spec spec;
  spec.text = text;
  for (const std::string& part : split(text)) {
    const std::size_t equals = part.find('=');
    if (part.empty()) {
      throw Error(ErrorKind::usage,
                  fmt::format("{} '{}' has an empty part; write name,key=value", what, text));
    }
    if (equals == std::string::npos) {
      if (!spec.name.empty()) {
        throw Error(ErrorKind::usage,
                    fmt::format("{} '{}' names both '{}' and '{}'; write key=value for options and "
                                "\\, for a comma inside a value",
                                what, text, spec.name, part));
      }
      spec.name = part;
      continue;
    }
    const std::string key = part.substr(0, equals);
    if (keys.count(key) == 0) {
      const std::vector<std::string> known(keys.begin(), keys.end());
      const std::string near = nearest_name(key, known);
      throw Error(ErrorKind::usage,
                  fmt::format("{} has no key '{}'{}; it takes {}", what, key,
                              near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near),
                              fmt::join(known, ", ")));
    }
    if (!spec.values.emplace(key, part.substr(equals + 1)).second) {
      throw Error(ErrorKind::usage, fmt::format("{} gives '{}' twice", what, key));
    }
  }
  return spec;
}

std::string escape_spec_value(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == ',' || c == '\\' || (c == '{' && out.empty())) out += '\\';
    out += c;
  }
  return out;
}

std::vector<std::string> inner_lists(std::string_view value) {
  std::vector<std::string> lists;
  std::size_t at = value.find_first_not_of(' ');
  if (at != std::string_view::npos && value[at] != '{') return {std::string(value)};
  while (at != std::string_view::npos) {
    const std::size_t end = value[at] == '{' ? group_end(value, at) : std::string_view::npos;
    if (end == std::string_view::npos) {
      throw Error(
          ErrorKind::usage,
          fmt::format("'{}' must be lists in braces, as in {{head=sentiment}} {{length=50}}",
                      value));
    }
    lists.emplace_back(value.substr(at + 1, end - at - 2));
    at = value.find_first_not_of(' ', end);
  }
  return lists;
}

}  // namespace tq
