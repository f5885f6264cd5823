// Win-tie-lose from judgements in both orders. A run wins where the judge prefers its answer
// wherever it stands; where the orders disagree, or one of them is a tie, it is a tie; where one of
// them can't be read there is no verdict, and the pair is left out of every rate and counted.
// Source: Zheng et al. 2023 (arXiv:2306.05685), section 3.4, "Swapping positions", the conservative
// way. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "transferq/eval/interval.hpp"

namespace tq {

// What a judge says of two answers by where they stand.
enum class Preference { first, second, tie, none };

// What that means for the run that is compared with another.
enum class Outcome { win, tie, lose, none };

// win, tie, lose or none.
std::string_view outcome_name(Outcome outcome);
std::optional<Outcome> outcome_of_name(std::string_view name);

// Of the run whose answer stood first, or second.
Outcome outcome_of(Preference preference, bool stood_first);

// From what was said when the run's answer stood first, and second.
Outcome verdict_of(Outcome first, Outcome second);

// 1 for a win, 1/2 for a tie, 0 for a loss, as in the usual win rate; nothing for none.
std::optional<double> points(Outcome verdict);

// A pair of answers: the outcome for the run when its answer stood first, and second.
struct Judgement {
  Outcome first = Outcome::none;
  Outcome second = Outcome::none;
  Outcome verdict() const { return verdict_of(first, second); }
};

struct WinRate {
  std::size_t wins = 0, ties = 0, losses = 0;
  std::size_t none = 0;         // pairs without a verdict
  std::size_t first_both = 0;   // readable pairs in which the answer standing first won both times
  std::size_t second_both = 0;  // and in which the one standing second did

  std::size_t readable() const { return wins + ties + losses; }
  // Of the readable pairs, with Wilson's 95% intervals; nothing where there are none. Intervals
  // take pairs as independent: with several seeds a prompt, they are too narrow.
  std::optional<Proportion> win() const { return share(wins); }
  std::optional<Proportion> tie() const { return share(ties); }
  std::optional<Proportion> lose() const { return share(losses); }
  // Position bias: a judge without any has shares near 0, one that only looks at the place near 1.
  std::optional<Proportion> prefers_first() const { return share(first_both); }
  std::optional<Proportion> prefers_second() const { return share(second_both); }
  // The mean of points().
  std::optional<double> mean_points() const;

 private:
  std::optional<Proportion> share(std::size_t count) const;
};

WinRate win_rate(std::span<const Judgement> judgements);

}  // namespace tq
