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

// The fields of a row that answers this very prompt; null for one that it does not have.
nlohmann::json asked_fields(const Prompt& prompt);

// `steps` is empty unless the explanation is wanted.
nlohmann::ordered_json make_row(const Prompt& prompt, const Generated& generated,
                                const RowInfo& info, const std::vector<Step>& steps);

}  // namespace tq
