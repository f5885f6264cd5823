#include "transferq/eval/judge/win_rate.hpp"

#include <array>
#include <utility>

namespace tq {
namespace {

constexpr std::array<std::pair<Outcome, std::string_view>, 4> kNames{{{Outcome::win, "win"},
                                                                      {Outcome::tie, "tie"},
                                                                      {Outcome::lose, "lose"},
                                                                      {Outcome::none, "none"}}};

}  // namespace

std::string_view outcome_name(Outcome outcome) {
  return kNames[static_cast<std::size_t>(outcome)].second;
}

std::optional<Outcome> outcome_of_name(std::string_view name) {
  for (const auto& [outcome, known] : kNames) {
    if (name == known) return outcome;
  }
  return std::nullopt;
}

Outcome outcome_of(Preference preference, bool stood_first) {
  if (preference == Preference::none) return Outcome::none;
  if (preference == Preference::tie) return Outcome::tie;
  return (preference == Preference::first) == stood_first ? Outcome::win : Outcome::lose;
}

Outcome verdict_of(Outcome first, Outcome second) {
  if (first == Outcome::none || second == Outcome::none) return Outcome::none;
  return first == second ? first : Outcome::tie;
}

std::optional<double> points(Outcome verdict) {
  if (verdict == Outcome::none) return std::nullopt;
  if (verdict == Outcome::tie) return 0.5;
  return verdict == Outcome::win ? 1.0 : 0.0;
}

WinRate win_rate(std::span<const Judgement> judgements) {
  WinRate rate;
  for (const Judgement& j : judgements) {
    const Outcome verdict = j.verdict();
    rate.wins += verdict == Outcome::win;
    rate.ties += verdict == Outcome::tie;
    rate.losses += verdict == Outcome::lose;
    rate.none += verdict == Outcome::none;
    rate.first_both += j.first == Outcome::win && j.second == Outcome::lose;
    rate.second_both += j.first == Outcome::lose && j.second == Outcome::win;
  }
  return rate;
}

std::optional<Proportion> WinRate::share(std::size_t count) const {
  if (readable() == 0) return std::nullopt;
  return wilson(count, readable());
}

std::optional<double> WinRate::mean_points() const {
  if (readable() == 0) return std::nullopt;
  return (static_cast<double>(wins) + 0.5 * static_cast<double>(ties)) /
         static_cast<double>(readable());
}

}  // namespace tq
