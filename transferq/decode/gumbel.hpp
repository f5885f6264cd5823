// Draws by Gumbel-max: with independent standard Gumbel numbers G(z),
//   argmax_z log p(z) + Q(z) / alpha + G(z)
// is a draw from pi(z) ∝ p(z) exp(Q(z) / alpha) (Gumbel, "Statistical Theory of Extreme Values",
// 1954; Maddison, Tarlow and Minka, "A* Sampling", NIPS 2014). The numbers are known before the
// values are: if these lie in [low, high], what z has is at least log p(z) + low / alpha + G(z) and
// at most log p(z) + high / alpha + G(z). Where z's upper bound is less than another candidate's
// lower bound, z can neither win nor tie, and needs no roll-out. So the draw is the same, to the
// bit, as with all candidates valued.
//
// The KL of that law needs all values; where some are not known, an upper bound stands for it.
//
// Pure functions, and one draw. `alpha` is above 0; at infinity values count nothing. Below about a
// 10^16th of the range doubles have no digits left for the noise: ties of the value then go to the
// first, not by p.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "transferq/core/random.hpp"
#include "transferq/core/token.hpp"
#include "transferq/decode/proposing.hpp"
#include "transferq/reward/reward.hpp"

namespace tq {

// A standard Gumbel number for each candidate of a step, by its token.
std::vector<double> gumbel_noise(std::span<const Token> candidates, RandomKey key);

// Whether each candidate may win; all may where the range has no bounds.
std::vector<bool> may_win(std::span<const double> log_probabilities, std::span<const double> noise,
                          Range range, double alpha);

// At most this is KL(pi || pi_ref), in nats, where pi(z) ∝ p(z) exp(Q(z) / alpha) over the
// candidates and `values`, NaN for those not known, lie in the range, which has bounds. Exact where
// all are known.
// With w = p exp(Q / alpha), Z = sum w and d = log p - log pi_ref it is
//   sum w (Q / alpha + d) / Z - log Z.
// As a function of one value it falls before it rises, so the greatest has each unknown one at an
// end of the range. If x is the mass of p at the upper end, both sums are linear in x, and so the
// derivative's sign is that of a linear function that falls: over x from 0 to the unknown mass
// there is one greatest, in closed form. x is 0 or at least the smallest p of the unknown; d is
// taken to be the largest of theirs.
double kl_at_most(const Candidates& candidates, std::span<const double> values, Range range,
                  double alpha);

// The draw of a step.
class GumbelDraw {
 public:
  // `all` are the candidates that the law is of, without a tail.
  GumbelDraw(Candidates all, Range range, double alpha, const RandomKey& key);
  const Candidates& all() const { return all_; }
  // Those that may win, and their places among all.
  const Candidates& left() const { return left_; }
  std::span<const std::size_t> places() const { return places_; }
  // The winner among those that are left, ties to the first. `values` are of these; empty where one
  // alone is left or alpha is infinite.
  std::size_t choose(std::span<const double> values) const;
  // The law's KL to the reference, or, where not all values are known, kl_at_most().
  double kl(std::span<const double> values) const;

 private:
  Candidates all_, left_;
  std::vector<std::size_t> places_;
  std::vector<double> noise_;  // of those that are left
  Range range_;
  double alpha_;
};

}  // namespace tq
