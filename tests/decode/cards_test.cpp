// CARDS against its exact law: segments by entropy, quasi-rejection, limited tries.
#include "transferq/decode/cards.hpp"

#include <set>

#include "tests/decode/exact_laws.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::Law;
using testing::run;
using testing::scattered;
using testing::setup_of;
using testing::Tokens;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kTokens = 3;

class Cards : public ::testing::Test {
 protected:
  static DecoderOptions options(double beta, CardsOptions cards) {
    return {.name = "cards", .alpha = beta, .cards = cards};
  }
  tq::Setup setup(const DecoderOptions& o, std::optional<Policy> baseline = std::nullopt) const {
    return setup_of(policy_, o, testing::scattered_reward(), kTokens, std::move(baseline));
  }
  double unsure(const Policy& policy, const Tokens& state) const {
    return entropy(testing::logits_of(policy, prompt_, state));
  }

  // A segment's ends, with their probabilities.
  Law segments(const Policy& policy, const Tokens& state, double threshold) const {
    Law out;
    for (const auto& [next, p] : testing::continuations(policy, prompt_, state, 1)) {
      const bool over = next.size() == kTokens || policy.model().is_end(next.back());
      if (over || unsure(policy, next) >= threshold) {
        out[next] += p;
        continue;
      }
      for (const auto& [end, q] : segments(policy, next, threshold)) out[end] += p * q;
    }
    return out;
  }

  // One segment's law after its tries: accepted ones, and the best of those that were not.
  Law tried(const Law& drawn, const DecoderOptions& o) const {
    std::map<Tokens, double> accept;
    double rate = 0;
    for (const auto& [y, p] : drawn) {
      const double begin = (1 - o.cards.start) * scattered({}) + o.cards.start * o.cards.target;
      const double grown = static_cast<double>(y.size()) / kTokens;
      const double threshold = begin + (o.cards.target - begin) * grown;
      accept[y] = std::min(1.0, std::exp((scattered(y) - threshold) / o.alpha));
      rate += p * accept[y];
    }
    const double tries = static_cast<double>(o.cards.tries);
    Law out;
    for (const auto& [y, p] : drawn) {
      double below = 0;  // of rejected draws with a lower reward
      for (const auto& [other, q] : drawn) {
        if (scattered(other) < scattered(y)) below += q * (1 - accept[other]);
      }
      out[y] = p * accept[y] * (1 - std::pow(1 - rate, tries)) / rate +
               std::pow(below + p * (1 - accept[y]), tries) - std::pow(below, tries);
    }
    return out;
  }

  Law law(const Policy& policy, const DecoderOptions& o, const Tokens& state = {}) const {
    Law out;
    for (const auto& [y, p] : tried(segments(policy, state, o.cards.entropy), o)) {
      if (y.size() == kTokens || policy.model().is_end(y.back())) {
        out[y] += p;
        continue;
      }
      for (const auto& [end, q] : law(policy, o, y)) out[end] += p * q;
    }
    return out;
  }

  const Policy policy_{testing::random_table(3, 7, 6, Token{2}), Format::raw};
  const Prompt prompt_ = make_prompt("a", "0");
};

TEST_F(Cards, WholeResponsesWithEnoughTriesFollowTheRegularisedOptimum) {
  const Law responses = testing::responses(policy_, prompt_, kTokens);
  constexpr int kRuns = 6000;
  for (const double beta : {0.2, 1.0}) {
    const DecoderOptions o =
        options(beta, {.target = 1, .start = 1, .entropy = kInfinity, .tries = 2000});
    Law optimum;
    double sum = 0;
    for (const auto& [y, p] : responses) sum += optimum[y] = p * std::exp(scattered(y) / beta);
    for (auto& [y, p] : optimum) p /= sum;
    const auto sampled = testing::sample_law(setup(o), prompt_, kRuns);
    testing::expect_law(sampled.law, optimum, kRuns);
    EXPECT_NEAR(sampled.kl, testing::kl_of(optimum, responses), 4 * sampled.kl_error) << beta;
  }
}

TEST_F(Cards, FewTriesFollowTheLawOfTheBestWhenTheyRunOut) {
  constexpr int kRuns = 6000;
  for (const std::size_t tries : {1u, 2u, 4u}) {
    const DecoderOptions o =
        options(0.1, {.target = 0.9, .start = 1, .entropy = kInfinity, .tries = tries});
    const Law exact = law(policy_, o);
    testing::expect_law(testing::sample_law(setup(o), prompt_, kRuns).law, exact, kRuns);
  }
}

TEST_F(Cards, SegmentsEndWhereTheNextTokenIsUnsure) {
  // A threshold between the entropies of the states: some segments have one token, some more.
  const double threshold = 0.95;
  std::set<std::size_t> lengths;
  for (const auto& [y, p] : segments(policy_, {}, threshold)) lengths.insert(y.size());
  ASSERT_GE(lengths.size(), 2u);
  constexpr int kRuns = 6000;
  for (const double start : {1.0, 0.5, 0.0}) {
    const DecoderOptions o =
        options(0.2, {.target = 0.8, .start = start, .entropy = threshold, .tries = 3});
    testing::expect_law(testing::sample_law(setup(o), prompt_, kRuns).law, law(policy_, o), kRuns);
  }
}

TEST_F(Cards, TheKlOfSegmentsAddsUp) {
  const DecoderOptions o =
      options(0.3, {.target = 0.9, .start = 0.5, .entropy = 0.95, .tries = 2000});
  const Law responses = testing::responses(policy_, prompt_, kTokens);
  const auto sampled = testing::sample_law(setup(o), prompt_, 6000);
  EXPECT_NEAR(sampled.kl, testing::kl_of(law(policy_, o), responses), 4 * sampled.kl_error);
  EXPECT_EQ(run(setup(o), prompt_).decoded.kl_kind, KlKind::estimate);
}

TEST_F(Cards, DrawsFromTheBaselineAddTheResponsesLogRatio) {
  const Policy baseline(testing::random_table(3, 7, 9, Token{2}), Format::raw);
  const DecoderOptions o =
      options(0.3, {.target = 0.9, .start = 0.5, .entropy = 0.95, .tries = 2000});
  const Law responses = testing::responses(policy_, prompt_, kTokens);
  const auto sampled = testing::sample_law(setup(o, baseline), prompt_, 6000);
  testing::expect_law(sampled.law, law(baseline, o), 6000);
  EXPECT_NEAR(sampled.kl, testing::kl_of(law(baseline, o), responses), 4 * sampled.kl_error);
}

TEST_F(Cards, OneTryAndInfiniteBetaAreSamplingAndTinyBetaReachesTheTarget) {
  for (int i = 0; i < 20; ++i) {
    const Prompt prompt = make_prompt(std::to_string(i), "0");
    const Tokens plain = run(setup({.name = "sample"}), prompt).decoded.tokens;
    const CardsOptions whole{.target = 1, .start = 1, .entropy = kInfinity, .tries = 1};
    const Answer one = run(setup(options(0.1, whole)), prompt);
    EXPECT_EQ(one.decoded.tokens, plain);
    EXPECT_EQ(one.decoded.kl_to_reference, 0.0);
    CardsOptions many = whole;
    many.tries = 9;
    EXPECT_EQ(run(setup(options(kInfinity, many)), prompt).decoded.tokens, plain);
    const Answer hard =
        run(setup(options(1e-300, {.target = 0.6, .start = 1, .entropy = kInfinity, .tries = 500})),
            prompt);
    EXPECT_GE(*hard.decoded.reward, 0.6);
    EXPECT_TRUE(std::isfinite(hard.decoded.kl_to_reference));
  }
}

TEST_F(Cards, ARewardOfFinishedResponsesAloneIsGivenNoOther) {
  const auto reward = testing::reward_of([&](const Draft& d) {
    EXPECT_TRUE(d.tokens.size() == kTokens || d.ended) << ::testing::PrintToString(d.tokens);
    return scattered(d.tokens);
  });
  DecoderOptions o = options(0.1, {.target = 0.9, .start = 0.5, .entropy = 0, .tries = 5});
  o.finished_only = true;
  for (int i = 0; i < 10; ++i) {
    run(setup_of(policy_, o, reward, kTokens), make_prompt(std::to_string(i), "0"));
  }
}

TEST(CardsRule, AcceptanceAndThreshold) {
  EXPECT_EQ(log_acceptance(2, 1, 0.5), 0.0);
  EXPECT_EQ(log_acceptance(1, 2, 0.5), -2.0);
  EXPECT_EQ(std::exp(log_acceptance(-1e4, 1e4, 1e-300)), 0.0);
  EXPECT_EQ(log_acceptance(-1e4, 1e4, kInfinity), 0.0);
  const CardsOptions half{.target = 8, .start = 0.5};
  EXPECT_EQ(threshold_at(half, 2, 0, 10), 5.0);
  EXPECT_EQ(threshold_at(half, 2, 5, 10), 6.5);
  EXPECT_EQ(threshold_at(half, 2, 10, 10), 8.0);
  EXPECT_EQ(threshold_at({.target = 8, .start = 0}, 2, 5, 10), 5.0);
  EXPECT_EQ(threshold_at(half, 20, 0, 10), 8.0);  // an empty response above the target
  EXPECT_EQ(threshold_at({.target = 8, .start = 1}, -1e300, 0, 10), 8.0);
}

// Costs on a model that never ends, with a rule as reward.
class CardsCost : public ::testing::Test {
 protected:
  static tq::Setup setup(const CardsOptions& cards, double beta = 1e-9) {
    const auto reward = testing::reward_of([](const Draft& d) { return scattered(d.tokens); });
    return setup_of({testing::endless(12), Format::raw},
                    {.name = "cards", .alpha = beta, .cards = cards}, reward, 20);
  }
  const Prompt prompt_ = make_prompt("a", "1.2.");
};

TEST_F(CardsCost, AnAcceptedTokenCostsOneEvaluation) {
  const Answer out = run(setup({.target = 0, .start = 1, .entropy = 0, .tries = 5}), prompt_);
  ASSERT_EQ(out.decoded.tokens.size(), 20u);
  EXPECT_EQ(out.evaluations.policy, 19u);
  EXPECT_EQ(out.evaluations.reference + out.evaluations.reward, 0u);
}

TEST_F(CardsCost, EachTryCostsItsSegmentAndTheBestIsNotEvaluatedAgain) {
  const CardsOptions never{.target = 2, .start = 1, .entropy = 0, .tries = 5};
  const Answer tokens = run(setup(never), prompt_);
  EXPECT_EQ(tokens.evaluations.policy, 5 * 19u);  // what follows the last token is never asked
  CardsOptions whole = never;
  whole.entropy = kInfinity;
  EXPECT_EQ(run(setup(whole), prompt_).evaluations.policy, 5 * 19u);
}

TEST_F(CardsCost, WhereTheBestHasToMakeRoomItIsEvaluatedAgain) {
  const CardsOptions never{.target = 2, .start = 1, .entropy = 0, .tries = 5};
  const Answer roomy = run(setup(never), prompt_);
  const Answer tight = run(setup(never), prompt_, testing::session_of(22));  // 2 of them the prompt
  EXPECT_EQ(tight.decoded.tokens, roomy.decoded.tokens);
  EXPECT_GT(tight.evaluations.policy, roomy.evaluations.policy);
  EXPECT_LE(tight.evaluations.policy, roomy.evaluations.policy + 19);
}

}  // namespace
}  // namespace tq
