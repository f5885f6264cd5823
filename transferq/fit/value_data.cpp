#include "transferq/fit/value_data.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "transferq/core/error.hpp"
#include "transferq/eval/data/rows.hpp"
#include "transferq/eval/json_fields.hpp"
#include "transferq/eval/text_file.hpp"

namespace tq {
namespace {

using nlohmann::json;

std::optional<LoggedStep> step_of(const json& step, std::size_t at) {
  LoggedStep out;
  out.at = at;
  for (const json& candidate : step.at("candidates")) {
    if (candidate.contains("block")) {
      throw Error(ErrorKind::input,
                  "its candidates are blocks; a value is learned of single tokens (leave out "
                  "--block)");
    }
    if (!candidate.at("value").is_number() || candidate.value("given_up", false)) continue;
    out.candidates.push_back(candidate.at("token").get<Token>());
    out.logprobs.push_back(candidate.at("logprob").get<double>());
    out.values.push_back(candidate.at("value").get<double>());
  }
  if (out.candidates.size() < 2 || !step.value("rolled_out", true)) return std::nullopt;
  return out;
}

LoggedRun run_of(const json& row, const std::string& source, std::size_t line) {
  LoggedRun run;
  run.source = source;
  run.prompt = row_prompt(row, line);
  if (row.value("decoder", "") == "args") {
    throw Error(ErrorKind::input, "the decoder args rolls nothing out; log runs of tq or cd");
  }
  const auto steps = row.find("steps");
  if (steps == row.end()) {
    throw Error(ErrorKind::input,
                "no steps; log them with `tq generate --prompts FILE --explain --out FILE`");
  }
  for (const json& step : *steps) {
    if (auto logged = step_of(step, run.tokens.size())) run.steps.push_back(std::move(*logged));
    run.tokens.push_back(step.at("chosen").get<Token>());
  }
  return run;
}

}  // namespace

std::vector<LoggedRun> read_logged_runs(const std::filesystem::path& path) {
  const std::string text = read_text_file(path);
  std::vector<LoggedRun> runs;
  for (const RowText& row : lines_of(text)) {
    const std::string source = fmt::format("{} line {}", path.string(), row.line);
    try {
      LoggedRun run = run_of(json::parse(row.text), source, row.line);
      if (!run.steps.empty()) runs.push_back(std::move(run));
    } catch (const json::exception&) {
      throw Error(ErrorKind::input,
                  fmt::format("{} is no row of `tq generate --explain --out FILE`", source));
    } catch (const Error& e) {
      throw Error(e.kind(), fmt::format("{}: {}", source, e.what()));
    }
  }
  return runs;
}

}  // namespace tq
