// One row of a file of examples; see examples.hpp for the forms. Each throws Error (input) that
// says what is wrong with the row; the caller names file and line.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <variant>

#include "transferq/eval/examples.hpp"

namespace tq {

using ExampleRow = std::variant<Example, Pair>;

// Whether the row holds two whole dialogues and nothing that would be their prompt.
bool is_dialogue_row(const nlohmann::json& row);

ExampleRow json_row(const nlohmann::json& row, std::size_t line);
Pair dialogue_row(const nlohmann::json& row, std::size_t line);
Example labelled_row(std::string_view text, std::size_t line);

}  // namespace tq
