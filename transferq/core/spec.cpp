#include "transferq/core/spec.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"

namespace tq {
namespace {

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == ',' || text[i + 1] == '\\')) {
      parts.back() += text[++i];
    } else if (text[i] == ',') {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
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
    if (c == ',' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace tq
