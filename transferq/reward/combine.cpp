#include "transferq/reward/combine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/reward/joint_scorer.hpp"

namespace tq {
namespace {

Error usage(const std::string& what) { return {ErrorKind::usage, what}; }

// What a combination is called, and the part of its fingerprint that is its own.
std::string formula(const std::string& name, const InnerRewards& inner, const std::string& more) {
  std::string text = name + " of";
  for (const auto& reward : inner) {
    text += fmt::format("{} {{{}}}", &reward == &inner.front() ? "" : ",", reward->info().name);
  }
  return text + more;
}

class Combination final : public Reward {
 public:
  // `range` and `calibration` are what follows for this combination.
  Combination(InnerRewards inner, JointScorer::Combine combine, const std::string& kind,
              const std::string& settings, Range range, std::optional<Calibration> calibration)
      : inner_(std::move(inner)), combine_(std::move(combine)) {
    std::string print = kind + settings;
    info_.partial = true;
    for (const auto& reward : inner_) {
      print += " " + reward->info().fingerprint;
      info_.partial = info_.partial && reward->info().partial;
      info_.whole = info_.whole && reward->info().whole;
    }
    info_.name = formula(kind, inner_, settings);
    info_.fingerprint = sha256(print);
    info_.range = range;
    info_.calibration = calibration;
  }

  const RewardInfo& info() const override { return info_; }

  std::unique_ptr<Scorer> open(const Prompt& prompt, SessionPool& sessions,
                               const Workload& work) const override {
    std::vector<std::unique_ptr<Scorer>> scorers;
    for (const auto& reward : inner_) scorers.push_back(reward->open(prompt, sessions, work));
    return std::make_unique<JointScorer>(std::move(scorers), combine_);
  }

 private:
  InnerRewards inner_;
  JointScorer::Combine combine_;
  RewardInfo info_;
};

// 0 times infinity is 0 here: a reward is finite, however far it may go.
double times(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

Range product(const Range& a, const Range& b) {
  const auto [low, high] = std::minmax(
      {times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high)});
  return {low, high};
}

Range sum(const Range& a, const Range& b) { return {a.low + b.low, a.high + b.high}; }

InnerRewards alone(std::unique_ptr<Reward> reward) {
  InnerRewards inner;
  inner.push_back(std::move(reward));
  return inner;
}

// by * r + plus, whose scale follows from that of r.
std::unique_ptr<Reward> affine(std::unique_ptr<Reward> reward, double by, double plus,
                               const std::string& kind, const std::string& settings) {
  std::optional<Calibration> calibration = reward->info().calibration;
  if (calibration) {
    const auto map = [&](std::optional<double> x) { return x ? std::optional(by * *x + plus) : x; };
    *calibration = {by * calibration->mean + plus, std::abs(by) * calibration->spread,
                    map(by < 0 ? calibration->high : calibration->low),
                    map(by < 0 ? calibration->low : calibration->high)};
  }
  const Range range = sum(product(reward->info().range, {by, by}), {plus, plus});
  return std::make_unique<Combination>(
      alone(std::move(reward)), [by, plus](std::span<const double> r) { return by * r[0] + plus; },
      kind, settings, range, calibration);
}

InnerRewards inner_rewards(const Spec& spec, const std::string& key, const RewardContext& context) {
  InnerRewards inner;
  for (const std::string& list : inner_lists(spec.get(key))) inner.push_back(context.make(list));
  if (inner.empty()) {
    throw usage(fmt::format("{}= has no reward in it; write {}={{LIST}}, as in {}={{length=50}}",
                            key, key, key));
  }
  return inner;
}

std::unique_ptr<Reward> inner_reward(const Spec& spec, const std::string& key,
                                     const RewardContext& context) {
  InnerRewards inner = inner_rewards(spec, key, context);
  if (inner.size() != 1) {
    throw usage(
        fmt::format("{}= takes one reward, not {}; join them with sum= or product= inside "
                    "it",
                    key, inner.size()));
  }
  return std::move(inner.front());
}

double finite(const Spec& spec, const std::string& key, double fallback) {
  const double value = spec.number(key, fallback);
  if (spec.has(key) && !std::isfinite(value)) {
    throw usage(fmt::format("{}={} must be a finite number", key, spec.get(key)));
  }
  return value;
}

}  // namespace

std::unique_ptr<Reward> make_sum(InnerRewards inner, std::vector<double> weights) {
  if (inner.empty() || weights.size() != inner.size()) {
    throw usage(
        fmt::format("a sum needs a weight for each reward: there are {} rewards and {} "
                    "weights",
                    inner.size(), weights.size()));
  }
  std::string settings;
  for (const double w : weights) settings += fmt::format(" {}", w);
  settings = " by weights" + settings;
  if (inner.size() == 1) {
    return affine(std::move(inner.front()), weights.front(), 0, "sum", settings);
  }
  Range range{0, 0};
  for (std::size_t i = 0; i < inner.size(); ++i) {
    range = sum(range, product(inner[i]->info().range, {weights[i], weights[i]}));
  }
  return std::make_unique<Combination>(
      std::move(inner),
      [weights = std::move(weights)](std::span<const double> r) {
        double sum = 0;
        for (std::size_t i = 0; i < r.size(); ++i) sum += weights[i] * r[i];
        return sum;
      },
      "sum", settings, range, std::nullopt);
}

std::unique_ptr<Reward> make_product(InnerRewards inner) {
  if (inner.empty()) throw usage("a product needs a reward");
  if (inner.size() == 1) return affine(std::move(inner.front()), 1, 0, "product", "");
  Range range{1, 1};
  for (const auto& reward : inner) range = product(range, reward->info().range);
  return std::make_unique<Combination>(
      std::move(inner),
      [](std::span<const double> r) {
        double product = 1;
        for (const double x : r) product *= x;
        return product;
      },
      "product", "", range, std::nullopt);
}

std::unique_ptr<Reward> make_clip(std::unique_ptr<Reward> inner, double low, double high) {
  if (!(low <= high) || (std::isinf(low) && std::isinf(high))) {
    throw usage(fmt::format("clip= needs low= or high=, low not above high; these are {} and {}",
                            low, high));
  }
  const Range of_inner = inner->info().range;
  const Range range{std::clamp(of_inner.low, low, high), std::clamp(of_inner.high, low, high)};
  return std::make_unique<Combination>(
      alone(std::move(inner)),
      [low, high](std::span<const double> r) { return std::clamp(r[0], low, high); }, "clip",
      fmt::format(" to {}...{}", low, high), range, std::nullopt);
}

std::unique_ptr<Reward> make_sign(std::unique_ptr<Reward> inner) {
  return std::make_unique<Combination>(
      alone(std::move(inner)),
      [](std::span<const double> r) { return r[0] > 0   ? 1.0
                                             : r[0] < 0 ? -1.0
                                                        : 0.0; }, "sign", "",
      Range{-1, 1}, std::nullopt);
}

std::unique_ptr<Reward> make_scale(std::unique_ptr<Reward> inner, double by, double plus) {
  return affine(std::move(inner), by, plus, "scale", fmt::format(" by {} plus {}", by, plus));
}

std::unique_ptr<Reward> make_normalised(std::unique_ptr<Reward> inner) {
  const std::optional<Calibration> scale = inner->info().calibration;
  if (!scale) {
    throw usage(
        fmt::format("normalise= needs a reward whose mean and spread were measured, and {} "
                    "has none: `tq fit` writes them into a head, and scale={{...}},by=X,"
                    "plus=Y does it by hand",
                    inner->info().name));
  }
  if (!(scale->spread > 0)) {
    throw usage(fmt::format("the spread of {} is {}: it can't be normalised; use scale= instead",
                            inner->info().name, scale->spread));
  }
  auto reward = affine(std::move(inner), 1 / scale->spread, -scale->mean / scale->spread,
                       "normalise", fmt::format(" by {} {}", scale->mean, scale->spread));
  return reward;
}

RewardKind sum_kind() {
  return {"sum={LIST} {LIST} ...[,weights=X Y ...]",
          "a weighted sum of rewards",
          {"sum"},
          {"weights"},
          [](const Spec& spec, const RewardContext& context) {
            InnerRewards inner = inner_rewards(spec, "sum", context);
            std::vector<double> w = weights(spec, inner.size());
            return make_sum(std::move(inner), std::move(w));
          }};
}

RewardKind product_kind() {
  return {"product={LIST} {LIST} ...",
          "the product of rewards",
          {"product"},
          {},
          [](const Spec& spec, const RewardContext& context) {
            return make_product(inner_rewards(spec, "product", context));
          }};
}

RewardKind clip_kind() {
  return {"clip={LIST}[,low=X][,high=Y]",
          "a reward, no lower and no higher than this",
          {"clip"},
          {"low", "high"},
          [](const Spec& spec, const RewardContext& context) {
            constexpr double kNone = std::numeric_limits<double>::infinity();
            return make_clip(inner_reward(spec, "clip", context), finite(spec, "low", -kNone),
                             finite(spec, "high", kNone));
          }};
}

RewardKind sign_kind() {
  return {"sign={LIST}",
          "1 where a reward is above 0, -1 where it is below",
          {"sign"},
          {},
          [](const Spec& spec, const RewardContext& context) {
            return make_sign(inner_reward(spec, "sign", context));
          }};
}

RewardKind scale_kind() {
  return {"scale={LIST}[,by=X][,plus=Y]",
          "X times a reward, plus Y",
          {"scale"},
          {"by", "plus"},
          [](const Spec& spec, const RewardContext& context) {
            return make_scale(inner_reward(spec, "scale", context), finite(spec, "by", 1),
                              finite(spec, "plus", 0));
          }};
}

RewardKind normalise_kind() {
  return {"normalise={LIST}",
          "a reward in units of its spread, from its mean",
          {"normalise"},
          {},
          [](const Spec& spec, const RewardContext& context) {
            return make_normalised(inner_reward(spec, "normalise", context));
          }};
}

}  // namespace tq
