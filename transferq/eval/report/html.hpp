// A report as one HTML page that needs nothing else: style, script and charts are in it, and a
// policy in its head forbids any request. The answers stand in it as JSON; the page's script makes
// them visible as one scrolls. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "transferq/eval/report/results.hpp"
#include "transferq/eval/report/summary.hpp"

namespace tq::report {

std::string html(const Results& results, const Summary& summary);

// What page.js shows, prompt by prompt in the order of the results:
//   {"runs": [name], "prompts": [{"id", "text", "before": [[role, text]],
//     "answers": [[run, seed, text, reward or null, KL or null, cut 0|1, [gap, length, ...]]]}]}
// The last list is the changed ranges: characters (code points) between one and the next, and its
// own length.
nlohmann::ordered_json answers_json(const Results& results);

}  // namespace tq::report
