#include "profiles.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "flags.hpp"
#include "transferq/core/error.hpp"
#include "transferq/decode/choice.hpp"
#include "transferq/decode/positions.hpp"
#include "warnings.hpp"

namespace tq::app {
namespace {

// Tokens of the responses that the frontier was measured with.
constexpr std::size_t kMeasured = 32;

// Settings on the frontier of reward against cost.
struct Effort {
  std::string profile;
  double evaluations;  // a token, as measured: by default model and head, so elsewhere it is about
  std::size_t top_k, horizon, first, last, halvings;
  double min_p, text_weight;
};

// Dearest last.
const std::vector<Effort>& efforts() {
  static const std::vector<Effort> frontier{
      // ARGS, with roll-outs in the first and last tokens
      {"fast", 7.3, 8, 4, 2, 4, 1, 0.03, 3},
      {"balanced", 21, 20, 12, 2, 12, 2, 0.03, 5},
      {"thorough", 116, 10, 16, 0, 0, 0, 0, 1},
  };
  return frontier;
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const Effort& effort : efforts()) out.push_back(effort.profile);
  return out;
}

std::string flags_of(const Effort& e) {
  return fmt::format(
      "--top-k {} --min-p {} --horizon {} --first {} --last {} --text-weight {} --halve {} "
      "--rollout-choose greedy",
      e.top_k, e.min_p, e.horizon, e.first, e.last, e.text_weight, e.halvings);
}

// fast is --top-k ..., as in a help text.
std::vector<std::string> described() {
  std::vector<std::string> out;
  for (const Effort& e : efforts()) out.push_back(e.profile + " is " + flags_of(e));
  return out;
}

bool given(const CLI::App& command, const char* flag) {
  return command.get_option(flag)->count() > 0;
}

void set(CLI::App& command, const char* flag, const std::string& value) {
  CLI::Option* option = command.get_option(flag);
  if (option->count() > 0) return;
  option->add_result(value);
  option->run_callback();
}

const Effort& of_profile(const std::string& name) {
  return *std::find_if(efforts().begin(), efforts().end(),
                       [&](const Effort& effort) { return effort.profile == name; });
}

std::string shown(double cost) { return fmt::format("{:.{}f}", cost, cost < 10 ? 1 : 0); }

// The dearest one whose cost is no more than the budget.
const Effort& within(const std::string& flag, double budget, const std::string& unit,
                     const std::function<double(const Effort&)>& cost) {
  const Effort* best = nullptr;
  for (const Effort& effort : efforts()) {
    if (cost(effort) <= budget) best = &effort;
  }
  if (best != nullptr) return *best;
  throw Error(ErrorKind::usage,
              fmt::format("{} is less than the cheapest settings cost, about {} {} a token; give "
                          "more, or use --decoder args with a small --top-k",
                          flag, shown(cost(efforts().front())), unit));
}

// Forward passes a token, of a response of so many: one for the candidates and one for each further
// token of their roll-outs.
double passes_of(const Effort& effort, std::size_t tokens) {
  std::size_t passes = 0;
  for (std::size_t room = tokens; room > 0; --room) {
    const bool rolls = Positions{effort.first, effort.last}.roll_out(tokens - room, room);
    passes += 1 + (rolls ? std::min(effort.horizon, room - 1) : 0);
  }
  return static_cast<double>(passes) / static_cast<double>(tokens);
}

// The settings for `20` (token evaluations a token) or `200ms` (of a token).
const Effort& of_budget(const std::string& budget, const std::function<PassTime()>& passes) {
  const std::string flag = "--budget " + budget;
  double number = 0;
  const char* const end = budget.data() + budget.size();
  const auto [at, error] = std::from_chars(budget.data(), end, number);
  const std::string_view unit(at, static_cast<std::size_t>(end - at));
  if (error != std::errc() || (unit != "" && unit != "ms") || !(number > 0)) {
    throw Error(ErrorKind::usage,
                flag +
                    " must be a number above 0: of token evaluations, or, with ms behind it, of "
                    "milliseconds");
  }
  if (unit.empty()) {
    return within(flag, number, "token evaluations",
                  [](const Effort& effort) { return effort.evaluations; });
  }
  if (!passes) {
    throw Error(ErrorKind::usage,
                flag +
                    " depends on the machine, and rows must not: they may be made in several "
                    "runs. Give a number of token evaluations, or leave out --out");
  }
  const PassTime time = passes();
  const auto cost = [&](const Effort& effort) {
    return 1000 * (time.pass * passes_of(effort, kMeasured) + time.branch * effort.evaluations);
  };
  const Effort& effort = within(flag, number, "ms", cost);
  warn({fmt::format("{}: {}, about {} ms a token on this machine (plain decoding: {})", flag,
                    flags_of(effort), shown(cost(effort)),
                    shown(1000 * (time.pass + time.branch)))});
  return effort;
}

}  // namespace

void add_profile_flags(CLI::App& command, std::string& profile, std::string& budget) {
  command
      .add_option(
          "--profile", profile,
          fmt::format("How much a token may cost: --decoder tq with greedy roll-outs, where "
                      "flags don't say otherwise. {}",
                      fmt::join(described(), "; ")))
      ->option_text(fmt::format("{}", fmt::join(names(), "|")))
      ->check(one_of(names()));
  command
      .add_option("--budget", budget,
                  "The same by a number: the best settings that cost at most about this many token "
                  "evaluations a token, or milliseconds, for which the engine is measured first")
      ->option_text("NUMBER|NUMBERms");
}

void apply_profile(CLI::App& command, const std::string& profile, const std::string& budget,
                   const std::function<PassTime()>& passes) {
  const bool by_name = given(command, "--profile"), by_number = given(command, "--budget");
  if (!by_name && !by_number) return;
  const std::string flag = by_name ? "--profile " + profile : "--budget " + budget;
  if (by_name && by_number) {
    throw Error(ErrorKind::usage, "give either --profile or --budget, not both");
  }
  set(command, "--decoder", "tq");
  const std::string decoder = command.get_option("--decoder")->as<std::string>();
  if (decoder != "tq" && decoder != "cd") {
    throw Error(
        ErrorKind::usage,
        fmt::format("{} sets how the decoders tq and cd roll out; {} does not", flag, decoder));
  }
  if (given(command, "--value") && !given(command, "--screen")) {
    throw Error(ErrorKind::usage, fmt::format("{} sets how candidates roll out, and --value alone "
                                              "lets none; add --screen N, or leave one out",
                                              flag));
  }
  const Effort& effort = by_name ? of_profile(profile) : of_budget(budget, passes);
  const auto number = [&](const char* name) {
    return given(command, name) ? command.get_option(name)->as<std::size_t>() : 0;
  };
  const bool blocks = number("--block") > 1;  // which have no gate and are not halved
  set(command, "--top-k", fmt::format("{}", effort.top_k));
  set(command, "--min-p", fmt::format("{}", blocks ? 0 : effort.min_p));
  set(command, "--horizon", fmt::format("{}", effort.horizon));
  const bool rolls = number("--horizon") > 0;
  set(command, "--first", fmt::format("{}", rolls ? effort.first : 0));
  set(command, "--last", fmt::format("{}", rolls ? effort.last : 0));
  const bool by_alpha = !given(command, "--kl-budget");
  const bool gumbel = number("--choose") == static_cast<std::size_t>(Choose::gumbel);
  const bool halves = rolls && !blocks && by_alpha && !gumbel;
  set(command, "--halve", fmt::format("{}", halves ? effort.halvings : 0));
  // Where the others have no text to weigh, there is no weight.
  const bool plainly = number("--elsewhere") == static_cast<std::size_t>(Elsewhere::plain);
  const bool others = !plainly && (number("--first") > 0 || number("--last") > 0);
  set(command, "--text-weight", fmt::format("{}", others && by_alpha ? effort.text_weight : 1));
  // Several roll-outs, and those that transfer weighs, are drawn.
  if (!given(command, "--rollouts") && !given(command, "--transfer")) {
    set(command, "--rollout-choose", "greedy");
  }
}

}  // namespace tq::app
