// Exact laws on the tabular engine, by enumeration, and how a sampled decoder is held against one.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>

#include "tests/decode/decoding.hpp"
#include "transferq/core/logspace.hpp"

namespace tq::testing {

// The probability of each response, by its tokens.
using Law = std::map<Tokens, double>;

// Every continuation of `state` by up to `room` tokens or to the end of the response.
inline Law continuations(const Policy& policy, const Prompt& prompt, const Tokens& state,
                         std::size_t room) {
  const bool ended = !state.empty() && policy.model().is_end(state.back());
  if (room == 0 || ended) return {{state, 1.0}};
  Law law;
  const auto p = softmax(logits_of(policy, prompt, state));
  for (std::size_t z = 0; z < p.size(); ++z) {
    if (p[z] <= 0) continue;
    const Tokens next = state + Tokens{static_cast<Token>(z)};
    for (const auto& [y, q] : continuations(policy, prompt, next, room - 1)) law[y] += p[z] * q;
  }
  return law;
}

inline Law responses(const Policy& policy, const Prompt& prompt, std::size_t max_tokens) {
  return continuations(policy, prompt, {}, max_tokens);
}

// A number in [0, 1) for a text that has no pattern, so that no two are equal.
inline double scattered(const Tokens& tokens, std::uint64_t seed = 5) {
  std::uint32_t hash = 2166136261u;
  for (const Token token : tokens) hash = (hash ^ static_cast<std::uint32_t>(token)) * 16777619u;
  return uniform(
      {.seed = seed, .step = static_cast<std::uint32_t>(tokens.size()), .candidate = hash});
}

inline std::shared_ptr<const Reward> scattered_reward() {
  return reward_of([](const Draft& d) { return scattered(d.tokens); });
}

// The law of the best of N draws, of different rewards: P(y) = F(r <= r(y))^N - F(r < r(y))^N.
inline Law best_of_law(const Law& law, std::size_t n) {
  Law out;
  for (const auto& [y, p] : law) {
    double below = 0;
    for (const auto& [other, q] : law) {
      if (scattered(other) < scattered(y)) below += q;
    }
    out[y] = std::pow(below + p, static_cast<double>(n)) - std::pow(below, static_cast<double>(n));
  }
  return out;
}

// KL(law || reference).
inline double kl_of(const Law& law, const Law& reference) {
  double kl = 0;
  for (const auto& [y, p] : law) {
    if (p > 0) kl += p * std::log(p / reference.at(y));
  }
  return kl;
}

// Many runs of the decoder: how often each response came, and the mean of the reported KL.
struct Sampled {
  Law law;
  double kl = 0;
  double kl_error = 0;  // standard error of that mean
};

inline Sampled sample_law(Setup setup, const Prompt& prompt, int runs) {
  Sampled out;
  double squares = 0;
  for (int i = 0; i < runs; ++i) {
    setup.seed = static_cast<std::uint64_t>(i);
    const Generated g = Worker(setup, session_of(0, 16)).generate(prompt);
    out.law[g.decoded.tokens] += 1.0 / runs;
    out.kl += g.decoded.kl_to_reference / runs;
    squares += g.decoded.kl_to_reference * g.decoded.kl_to_reference / runs;
  }
  out.kl_error = std::sqrt(std::max(squares - out.kl * out.kl, 1e-12) / runs);
  return out;
}

// Each response's frequency within four standard errors of its probability, and none but those.
inline void expect_law(const Law& sampled, const Law& exact, int runs) {
  double total = 0;
  for (const auto& [y, p] : exact) {
    const auto it = sampled.find(y);
    const double frequency = it == sampled.end() ? 0 : it->second;
    EXPECT_NEAR(frequency, p, 4 * std::sqrt(std::max(p * (1 - p), 1e-5) / runs))
        << ::testing::PrintToString(y);
    total += p;
  }
  EXPECT_NEAR(total, 1.0, 1e-12);
  for (const auto& [y, frequency] : sampled) EXPECT_EQ(exact.count(y), 1u);
}

}  // namespace tq::testing
