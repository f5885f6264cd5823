#include "transferq/decode/gumbel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "transferq/core/logspace.hpp"

namespace tq {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();

// The draws of the choices of a step, apart from those of its roll-outs.
constexpr std::uint32_t kChoice = std::numeric_limits<std::uint32_t>::max();

// (value - origin) / alpha. The origin does not depend on which candidates are there, so that a sum
// is the same whoever else is.
double tilt_of(double value, double origin, double alpha) {
  constexpr double kLeast =
      std::numeric_limits<double>::lowest();  // so that differences are numbers
  return std::isinf(alpha) ? 0 : std::max((value - origin) / alpha, kLeast);
}

// What a law is made of: p, Q / alpha and d.
struct Weighed {
  double logprob, tilt, away;
};

// sum w (tilt + d) / Z - log Z, with w = p exp(tilt) and Z = sum w.
double kl_of(std::span<const Weighed> parts) {
  double most = kNone;
  for (const Weighed& part : parts) most = std::max(most, part.tilt);
  std::vector<double> weights;
  for (const Weighed& part : parts) weights.push_back(part.logprob + (part.tilt - most));
  const double log_z = log_sum_exp(weights);
  double kl = -log_z;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const double share = std::exp(weights[i] - log_z);
    if (share > 0) kl += share * (parts[i].tilt - most + parts[i].away);
  }
  return kl;
}

}  // namespace

std::vector<double> gumbel_noise(std::span<const Token> candidates, RandomKey key) {
  key.sample = kChoice;
  std::vector<double> out;
  for (const Token token : candidates) {
    key.candidate = static_cast<std::uint32_t>(token);
    const double u = std::clamp(uniform(key), 0x1p-54, 1 - 0x1p-53);  // neither 0 nor 1
    out.push_back(-std::log(-std::log(u)));
  }
  return out;
}

std::vector<bool> may_win(std::span<const double> log_probabilities, std::span<const double> noise,
                          Range range, double alpha) {
  std::vector<bool> out(noise.size(), true);
  if (!range.bounded()) return out;
  const double gap = tilt_of(range.low, range.high, alpha);
  double best = kNone;
  for (std::size_t i = 0; i < noise.size(); ++i) {
    best = std::max(best, log_probabilities[i] + gap + noise[i]);
  }
  for (std::size_t i = 0; i < noise.size(); ++i) {
    // Lowered by more than rounding moves a sum.
    const double most = log_probabilities[i] + noise[i];
    const double spare = 1e-9 * (1 - gap + std::abs(most));
    out[i] = !(most + spare < best);
  }
  return out;
}

double kl_at_most(const Candidates& candidates, std::span<const double> values, Range range,
                  double alpha) {
  std::vector<Weighed> known;
  double mass = 0, least_mass = 1, away = kNone;
  for (std::size_t i = 0; i < candidates.tokens.size(); ++i) {
    const double logprob = candidates.logprobs[i];
    const double d = logprob - candidates.reference[i];
    if (std::isnan(values[i])) {
      mass += std::exp(logprob);
      least_mass = std::min(least_mass, std::exp(logprob));
      away = std::max(away, d);
    } else {
      known.push_back({logprob, tilt_of(values[i], range.high, alpha), d});
    }
  }
  if (mass == 0) return kl_of(known);
  const double low = tilt_of(range.low, range.high, alpha);  // the upper end is at 0
  const auto kl = [&](double x) {
    std::vector<Weighed> all = known;
    if (x > 0) all.push_back({std::log(x), 0, away});
    if (x < mass) all.push_back({std::log(mass - x), low, away});
    return kl_of(all);
  };
  // Both sums at x = 0, and their slopes.
  const double least = std::exp(low);
  const double sum_least = least > 0 ? least * (low + away) : 0;
  double z = mass * least, sum = mass * sum_least;
  for (const Weighed& w : known) {
    const double weight = std::exp(w.logprob + w.tilt);
    z += weight;
    sum += weight > 0 ? weight * (w.tilt + w.away) : 0;
  }
  const double slope_z = 1 - least, slope_sum = away - sum_least;
  const double best_z = slope_z > 0 ? slope_sum * z / slope_z - sum : z;
  const double x = slope_z > 0 ? (best_z - z) / slope_z : 0;
  return std::max(kl(0), kl(std::clamp(x, least_mass, std::max(least_mass, mass))));
}

GumbelDraw::GumbelDraw(Candidates all, Range range, double alpha, const RandomKey& key)
    : all_(std::move(all)), range_(range), alpha_(alpha) {
  const std::vector<double> noise = gumbel_noise(all_.tokens, key);
  const std::vector<bool> may = may_win(all_.logprobs, noise, range, alpha);
  for (std::size_t i = 0; i < may.size(); ++i) {
    if (!may[i]) continue;
    left_.tokens.push_back(all_.tokens[i]);
    left_.logprobs.push_back(all_.logprobs[i]);
    left_.reference.push_back(all_.reference[i]);
    places_.push_back(i);
    noise_.push_back(noise[i]);
  }
}

std::size_t GumbelDraw::choose(std::span<const double> values) const {
  double origin = range_.high;
  if (!range_.bounded() && !values.empty()) {
    origin = *std::max_element(values.begin(), values.end());
  }
  std::vector<double> score;
  for (std::size_t i = 0; i < noise_.size(); ++i) {
    const double tilt = values.empty() ? 0 : tilt_of(values[i], origin, alpha_);
    score.push_back(left_.logprobs[i] + tilt + noise_[i]);
  }
  return argmax(score);
}

double GumbelDraw::kl(std::span<const double> values) const {
  if (std::isinf(alpha_)) return kl_divergence(softmax(all_.logprobs), all_.reference);
  if (!range_.bounded()) {  // all are left
    const std::vector<double> law =
        values.empty() ? softmax(all_.logprobs) : reweight(all_.logprobs, values, alpha_);
    return kl_divergence(law, all_.reference);
  }
  std::vector<double> known(all_.tokens.size(), std::numeric_limits<double>::quiet_NaN());
  for (std::size_t i = 0; i < values.size(); ++i) known[places_[i]] = values[i];
  return kl_at_most(all_, known, range_, alpha_);
}

}  // namespace tq
