// Texts of anyone put where they can do no harm, and are shown as they are. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tq::report {

// For HTML's text and quoted attributes, and for SVG.
std::string html_text(std::string_view text);

// JSON that can stand in a <script>: no '<', '>' or '&', so that nothing ends the script or begins
// a comment. It parses to the same value.
std::string script_json(const nlohmann::ordered_json& value);

// For one cell of a Markdown table.
std::string markdown_cell(std::string_view text);

// A Markdown code block that the text can't end.
std::string markdown_block(const std::string& text, const std::string& language);

}  // namespace tq::report
