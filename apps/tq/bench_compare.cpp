// tq bench --compare: another implementation beside ours, by a command of the user's.
#include <fmt/format.h>
#include <poll.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "bench.hpp"
#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"
#include "transferq/reward/child_process.hpp"

namespace tq::app {
namespace {

using namespace std::chrono_literals;

[[noreturn]] void fail(const std::string& what, const std::string& errors) {
  const std::size_t end = errors.find_last_not_of(" \n");
  const std::size_t begin = end == std::string::npos ? 0 : errors.rfind('\n', end) + 1;
  const std::string last =
      end == std::string::npos ? "" : replace_invalid_utf8(errors.substr(begin, end + 1 - begin));
  throw Error(ErrorKind::io, fmt::format("--compare: the command {}{}{}", what,
                                         last.empty() ? "" : "; it said: ", last));
}

// What it printed until it closed its output.
std::string output_of(ChildProcess& child, std::string request, std::string& errors,
                      const std::stop_token& stop) {
  std::string output;
  while (child.output() >= 0) {
    if (stop.stop_requested()) throw Error(ErrorKind::interrupted, "interrupted");
    if (!request.empty() && child.input() >= 0) request.erase(0, child.write(request));
    if (request.empty()) child.close_input();
    pollfd files[3] = {{child.output(), POLLIN, 0},
                       {child.errors(), POLLIN, 0},
                       {request.empty() ? -1 : child.input(), POLLOUT, 0}};
    poll(files, 3, 100);
    if (child.output() >= 0) child.read_output(output);
    if (child.errors() >= 0) child.read_errors(errors);
  }
  return output;
}

std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \r\n");
  if (end == std::string::npos) return "";
  const std::size_t before = text.rfind('\n', end);
  const std::size_t begin = before == std::string::npos ? 0 : before + 1;
  return text.substr(begin, end + 1 - begin);
}

double positive(const nlohmann::json& answer, const char* key) {
  const auto it = answer.find(key);
  if (it == answer.end() || !it->is_number()) return 0;
  const double value = it->get<double>();
  return std::isfinite(value) && value > 0 ? value : 0;
}

}  // namespace

Measured run_compared(const std::string& command, const std::string& prompt,
                      std::size_t prompt_tokens, std::size_t tokens, std::stop_token stop) {
  const nlohmann::ordered_json request{
      {"prompt", prompt}, {"prompt_tokens", prompt_tokens}, {"tokens", tokens}};
  ChildProcess child(command);
  std::string errors;
  const std::string output = output_of(child, request.dump() + "\n", errors, stop);
  const std::string ended = child.end(5s);
  if (ended != "exited with status 0") fail(ended, errors);
  const auto answer = nlohmann::json::parse(last_line(output), nullptr, false);
  const double made = answer.is_object() ? positive(answer, "tokens") : 0;
  const double seconds = answer.is_object() ? positive(answer, "seconds") : 0;
  if (made == 0 || seconds == 0) {
    fail(R"(did not end with a line {"tokens": N, "seconds": S}, both above 0)", errors);
  }
  Measured out;
  out.tokens = static_cast<std::size_t>(made);
  out.seconds = seconds / made;
  out.evaluations = positive(answer, "evaluations") / made;
  out.evaluations_a_second = positive(answer, "evaluations") / seconds;
  out.tokens_a_second = made / seconds;
  return out;
}

}  // namespace tq::app
