// What tests of laws share: a small world as tables with a reward that is a random number for each
// response, exact or not, and laws over whole responses.
#pragma once

#include <cmath>
#include <map>

#include "tests/decode/decoding.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/decode/token_value.hpp"

namespace tq::testing {

using Law = std::map<Tokens, double>;

struct World {
  World(std::size_t vocabulary, std::size_t length, std::uint64_t seed,
        std::optional<Token> end = std::nullopt)
      : size(vocabulary), max_tokens(length), end_token(end) {
    reference_model = random_table(vocabulary, length + 1, 2 * seed + 1, end);
    baseline_model = random_table(vocabulary, length + 1, 2 * seed + 2, end);
    reward = reward_of([this, seed](const Draft& d) { return value_of(d.tokens, seed); });
  }

  // A random reward in [0, 1) of any prefix.
  static double value_of(const Tokens& tokens, std::uint64_t seed) {
    std::uint32_t digits = 1;
    for (const Token token : tokens) digits = digits * 11 + static_cast<std::uint32_t>(token) + 1;
    return uniform({.seed = seed, .prompt = digits});
  }

  Policy reference() const { return {reference_model, Format::raw}; }
  Policy baseline() const { return {baseline_model, Format::raw}; }

  // log p(token | "0", prefix).
  static double logprob(const tabular::TabularModel& model, const Tokens& prefix, Token token) {
    return model.log_probabilities(Tokens{0} + prefix)[static_cast<std::size_t>(token)];
  }
  static double logprob(const tabular::TabularModel& model, const Tokens& response) {
    double sum = 0;
    for (std::size_t i = 0; i < response.size(); ++i) {
      const auto at = response.begin() + static_cast<std::ptrdiff_t>(i);
      sum += logprob(model, Tokens(response.begin(), at), *at);
    }
    return sum;
  }
  bool over(const Tokens& tokens) const {
    return tokens.size() >= max_tokens || (!tokens.empty() && end_token == tokens.back());
  }

  // All responses and their probability under a policy.
  Law law(const tabular::TabularModel& model) const {
    Law out;
    walk({}, [&](const Tokens& y) { out[y] = std::exp(logprob(model, y)); });
    return out;
  }
  void walk(const Tokens& prefix, const std::function<void(const Tokens&)>& visit) const {
    if (over(prefix)) return visit(prefix);
    for (std::size_t z = 0; z < size; ++z) walk(prefix + Tokens{static_cast<Token>(z)}, visit);
  }

  Setup setup(std::shared_ptr<const Decoder> decoder, bool with_baseline, std::uint64_t seed,
              std::size_t tokens) const {
    Setup out{reference(), std::nullopt, reward, std::move(decoder), tokens, seed};
    if (with_baseline) out.baseline.emplace(baseline());
    return out;
  }
  Answer decode(std::shared_ptr<const Decoder> decoder, bool with_baseline,
                std::uint64_t seed) const {
    return run(setup(std::move(decoder), with_baseline, seed, max_tokens), make_prompt("w", "0"),
               session_of(1 << 12, 200));
  }

  std::size_t size, max_tokens;
  std::optional<Token> end_token;
  std::shared_ptr<const tabular::TabularModel> reference_model, baseline_model;
  std::shared_ptr<const Reward> reward;
};

inline double kl(const Law& law, const Law& reference) {
  double sum = 0;
  for (const auto& [y, p] : law) {
    if (p > 0) sum += p * std::log(p / reference.at(y));
  }
  return sum;
}

// The mean of some numbers and its standard error.
struct Mean {
  double mean, error;
};
inline Mean mean_of(const std::vector<double>& x) {
  double sum = 0, squares = 0;
  for (const double v : x) sum += v, squares += v * v;
  const double n = static_cast<double>(x.size());
  const double mean = sum / n;
  return {mean, std::sqrt(std::max(squares / n - mean * mean, 1e-12) / n)};
}

// Frequencies against a law, each within four and a half standard errors (there are many of them).
// Responses too rare for a normal error, expected fewer than 20 times, are counted together.
inline void expect_frequencies(const std::map<Tokens, std::size_t>& counts, std::size_t runs,
                               const Law& law) {
  const double n = static_cast<double>(runs);
  const auto expect_near = [&](double f, double p, const std::string& what) {
    EXPECT_NEAR(f, p, 4.5 * std::sqrt(p * (1 - p) / n) + 1e-12) << what;
  };
  double sum = 0, rare = 0, rare_seen = 0;
  for (const auto& [y, p] : law) {
    sum += p;
    const auto it = counts.find(y);
    const double f = it == counts.end() ? 0 : static_cast<double>(it->second) / n;
    if (p * n < 20) {
      rare += p;
      rare_seen += f;
    } else {
      expect_near(f, p, ::testing::PrintToString(y));
    }
  }
  if (rare * n >= 20) expect_near(rare_seen, rare, "the rare ones");
  EXPECT_NEAR(sum, 1, 1e-9);
  for (const auto& [y, count] : counts) {
    EXPECT_TRUE(law.contains(y)) << ::testing::PrintToString(y);
  }
}

}  // namespace tq::testing
