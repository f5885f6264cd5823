// A result as one line of JSON: the fields of every --json row.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "transferq/eval/generator.hpp"

namespace tq {

struct RowInfo {
  std::string decoder;
  std::uint64_t seed;
  std::string settings;  // fingerprint of all that can change a result
};

// What the line of every row begins with.
std::string row_start(const std::string& id, const std::string& settings);

// Whether a row, read back, answers this very prompt.
bool answers(const nlohmann::json& row, const Prompt& prompt);

// `steps` is empty unless the explanation is wanted.
nlohmann::ordered_json make_row(const Prompt& prompt, const Generated& generated,
                                const RowInfo& info, const std::vector<Step>& steps);

}  // namespace tq
