// Importance weights of roll-outs: those of a baseline that was aligned to another reward r_BL
// count as those of the policy rho_r that the same alignment to r would have given,
//   rho_BL(y) ~ rho_sft(y) exp(r_BL(y)/beta)   and   rho_r(y) ~ rho_sft(y) exp(r(y)/beta), so
//   w(y) = exp((r(y) - r_BL(y)) / beta)        (Transfer Q*, section 3.2),
// known up to a factor of the prompt, which cancels wherever weights are normalised. Everything is
// done in log space and relative to a candidate's heaviest roll-out: no finite reward and no beta
// above 0 overflows. Pure functions.
//
// Two ways to tame heavy weights, both off by default and both biased:
//   power t < 1   w^t in the place of w: roll-outs count as those of rho_BL^(1-t) rho_r^t, between
//                 the two policies.
//   clip c        min(w, c * mean of w over the candidate's roll-outs): the heaviest roll-outs lose
//                 some of their say. c = sqrt(N) is the truncation of Ionides (Truncated Importance
//                 Sampling, JCGS 2008), whose bias goes to 0 as N grows; a fixed c keeps one.
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "transferq/value/valuation.hpp"

namespace tq {

struct WeightOptions {
  double power = 1;  // 0 < power <= 1; 1: as they are
  double clip =
      std::numeric_limits<double>::infinity();  // 1 or more, times the mean; infinity: off
};

// The weighted roll-outs of one candidate.
struct Weighted {
  std::vector<std::size_t> rollouts;  // which of all
  std::vector<double> shares;         // p w / sum p w of each, p being its own Rollout::weight
  double top = 0;                     // the largest r - r_BL among them
  double log_mean = 0;                // log of the mean of w^power, by p, in units of
                                      // exp(top / beta)^power: 0 or less
  double effective = 0;               // 1 / sum shares^2 = (sum p w)^2 / sum (p w)^2 (Kish, 1965)
};

// One a candidate. Roll-outs of weight 0 are left out.
std::vector<Weighted> importance_weights(const Evidence& evidence, double beta,
                                         const WeightOptions& options);

// None where no candidate has more than one roll-out.
std::optional<EffectiveSamples> effective_samples(const std::vector<Weighted>& candidates);

// Of the steps of a response: means of the means, the least of the minima.
std::optional<EffectiveSamples> effective_samples(const std::vector<EffectiveSamples>& steps);

// Whether so few roll-outs count that the weighting does little but add noise: fewer than two on
// average (halfway between one and all, where there are two or three), or than a tenth of all.
bool collapsed(const EffectiveSamples& effective);

}  // namespace tq
