#include "transferq/fit/units.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/eval/json_fields.hpp"
#include "transferq/fit/split.hpp"

namespace tq {
namespace {

// Texts one behind the other so that no two lists give the same bytes.
void add(std::string& out, const std::string& text) {
  out += fmt::format("{}:{}", text.size(), text);
}

std::string prompt_bytes(const Prompt& prompt) {
  std::string out;
  for (const Message& message : prompt.messages) {
    add(out, message.role);
    add(out, message.content);
  }
  return out;
}

int class_of(const Example& row, const std::string& source) {
  if (!row.label) {
    throw Error(ErrorKind::input, fmt::format("{}: the row has no 'label'; a head is fitted on "
                                              "labels 0 and 1, or on pairs",
                                              source));
  }
  if (*row.label != 0 && *row.label != 1) {
    throw Error(ErrorKind::input,
                fmt::format("{}: the label {} is neither 0 nor 1", source, *row.label));
  }
  return *row.label == 1 ? 1 : 0;
}

}  // namespace

Units make_units(Examples examples, const std::string& file) {
  Units out;
  out.pairs = examples.rows.empty();
  out.identical = examples.identical;
  out.empty = examples.empty;
  const auto group = [](const Prompt& prompt, const std::string& text) {
    return prompt.messages.empty() ? "text " + text : "prompt " + prompt_bytes(prompt);
  };
  for (Pair& pair : examples.pairs) {
    std::string key = group(pair.prompt, pair.chosen);
    out.units.push_back({fmt::format("{} line {}", file, pair.line),
                         std::move(pair.prompt),
                         {std::move(pair.chosen), std::move(pair.rejected)},
                         1,
                         std::move(key)});
  }
  for (Example& row : examples.rows) {
    std::string source = fmt::format("{} line {}", file, row.line);
    const int label = class_of(row, source);
    if (blank(row.response)) {
      ++out.empty;
      continue;
    }
    std::string key = group(row.prompt, row.response);
    out.units.push_back({std::move(source),
                         std::move(row.prompt),
                         {std::move(row.response)},
                         label,
                         std::move(key)});
  }
  return out;
}

void append(Units& units, Units more) {
  const bool some = !units.units.empty() && !more.units.empty();
  if (some && units.pairs != more.pairs) {
    throw Error(ErrorKind::input,
                fmt::format("{} is a pair, {} a single response; fit them one by one",
                            (units.pairs ? units : more).units.front().source,
                            (units.pairs ? more : units).units.front().source));
  }
  if (units.units.empty()) units.pairs = more.pairs;
  units.identical += more.identical;
  units.empty += more.empty;
  std::move(more.units.begin(), more.units.end(), std::back_inserter(units.units));
}

std::vector<Unit> sample(std::vector<Unit> units, std::size_t count, std::uint64_t seed) {
  if (units.size() <= count) return units;
  std::vector<std::size_t> chosen = shuffled(units.size(), {.seed = seed, .step = kSampleDraw});
  chosen.resize(count);
  std::sort(chosen.begin(), chosen.end());
  std::vector<Unit> out;
  for (const std::size_t i : chosen) out.push_back(std::move(units[i]));
  return out;
}

std::string fingerprint(const std::vector<Unit>& units) {
  Sha256 digest;
  for (const Unit& unit : units) {
    std::string bytes = prompt_bytes(unit.prompt);
    for (const std::string& response : unit.responses) add(bytes, response);
    digest.update(fmt::format("{}{}:{}", unit.label, bytes.size(), bytes));
  }
  return digest.hex();
}

}  // namespace tq
