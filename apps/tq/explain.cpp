#include "explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "terminal.hpp"
#include "transferq/core/text.hpp"

namespace tq::app {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : replace_invalid_utf8(text)) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string explain_step(const Step& step, std::size_t number, bool colour) {
  if (step.candidates.empty()) return fmt::format("{:4} {}\n", number, quoted(step.text));
  const CandidateView& chosen = step.candidates[step.chosen];
  std::string out =
      fmt::format("{:4} {}", number, styled(quoted(chosen.text), Style::bold, colour));
  const auto own =
      std::find_if(step.candidates.begin(), step.candidates.end(),
                   [&](const CandidateView& c) { return c.token == step.plain_choice; });
  if (chosen.token != step.plain_choice && own != step.candidates.end()) {
    out += styled(fmt::format("  instead of {}", quoted(own->text)), Style::yellow, colour);
  }
  if (step.alpha) out += styled(fmt::format("  alpha {:.3g}", *step.alpha), Style::dim, colour);
  if (step.effective) {
    const EffectiveSamples& e = *step.effective;
    out += styled(fmt::format("  {:.1f} of {:.0f} roll-outs count, at least {:.1f}", e.mean,
                              e.rollouts, e.min),
                  Style::dim, colour);
  }
  out += styled(
      fmt::format("\n       {:<20} {:>9} {:>9} {:>9}\n", "candidate", "value", "model", "decoder"),
      Style::dim, colour);
  std::vector<std::size_t> order(step.candidates.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return step.candidates[a].probability > step.candidates[b].probability;
  });
  for (const std::size_t i : order) {
    const CandidateView& c = step.candidates[i];
    const std::string line =
        fmt::format("     {} {:<20} {:>9} {:>8.1f}% {:>8.1f}%\n", i == step.chosen ? '>' : ' ',
                    quoted(c.text), std::isnan(c.value) ? "-" : fmt::format("{:.3f}", c.value),
                    100 * std::exp(c.logprob), 100 * c.probability);
    out += styled(line, i == step.chosen ? Style::green : Style::plain, colour);
  }
  return out;
}

}  // namespace tq::app
