// Soft best-of-N against the exact law over all N-tuples, and its limits.
#include "transferq/decode/soft_best_of.hpp"

#include "tests/decode/exact_laws.hpp"
#include "transferq/decode/drawing.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::Law;
using testing::run;
using testing::scattered;
using testing::setup_of;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class SoftBestOf : public ::testing::Test {
 protected:
  static DecoderOptions options(std::size_t samples, double alpha) {
    return {.name = "soft-best-of", .alpha = alpha, .samples = samples};
  }
  tq::Setup setup(const DecoderOptions& options, std::size_t max_tokens = 2,
                  std::optional<Policy> baseline = std::nullopt) const {
    return setup_of(policy_, options, testing::scattered_reward(), max_tokens, std::move(baseline));
  }

  const Policy policy_{testing::random_table(3, 7, 4, Token{2}), Format::raw};
  const Prompt prompt_ = make_prompt("a", "0");
};

// Visits every N-tuple of responses with its probability.
void each_tuple(const Law& law, std::size_t n, std::vector<testing::Tokens>& tuple, double p,
                const std::function<void(double)>& visit) {
  if (tuple.size() == n) return visit(p);
  for (const auto& [y, q] : law) {
    tuple.push_back(y);
    each_tuple(law, n, tuple, p * q, visit);
    tuple.pop_back();
  }
}

// The law, and the mean of log N - H(w).
struct Exact {
  Law law;
  double excess = 0;
};

Exact exact_soft_best_of(const Law& responses, std::size_t n, double alpha) {
  Exact out;
  std::vector<testing::Tokens> tuple;
  each_tuple(responses, n, tuple, 1.0, [&](double p) {
    double sum = 0;
    for (const auto& y : tuple) sum += std::exp(scattered(y) / alpha);
    out.excess += p * std::log(static_cast<double>(n));
    for (const auto& y : tuple) {
      const double w = std::exp(scattered(y) / alpha) / sum;
      out.law[y] += p * w;
      out.excess += p * w * std::log(w);
    }
  });
  return out;
}

TEST_F(SoftBestOf, FollowsTheLawOverAllTuples) {
  const Law responses = testing::responses(policy_, prompt_, 2);
  for (const double alpha : {0.1, 0.5, 3.0}) {
    const Exact exact = exact_soft_best_of(responses, 3, alpha);
    constexpr int kRuns = 6000;
    const auto sampled = testing::sample_law(setup(options(3, alpha)), prompt_, kRuns);
    testing::expect_law(sampled.law, exact.law, kRuns);
  }
}

TEST_F(SoftBestOf, TheReportedKlLiesAboveTheExactOneAndBelowBothBounds) {
  const Law responses = testing::responses(policy_, prompt_, 2);
  for (const double alpha : {0.05, 0.3, 1.0, 10.0}) {
    const Exact exact = exact_soft_best_of(responses, 3, alpha);
    const double kl = testing::kl_of(exact.law, responses);
    EXPECT_LE(kl, exact.excess + 1e-12);  // the mean of log N - H(w) is an upper bound
    EXPECT_LE(kl, selection_bound(3) + 1e-12);
    const auto sampled = testing::sample_law(setup(options(3, alpha)), prompt_, 2000);
    EXPECT_GE(sampled.kl, kl - 4 * sampled.kl_error) << alpha;
    EXPECT_LE(sampled.kl, std::min(exact.excess + 4 * sampled.kl_error, selection_bound(3)));
  }
  EXPECT_EQ(run(setup(options(3, 0.3)), prompt_).decoded.kl_kind, KlKind::estimate);
}

TEST_F(SoftBestOf, SmallAlphaIsBestOfNToTheBitAndInfinityIsSampling) {
  std::set<testing::Tokens> seen;
  for (int i = 0; i < 30; ++i) {
    const Prompt prompt = make_prompt(std::to_string(i), "0");
    const Answer hard = run(setup({.name = "best-of", .samples = 5}, 6), prompt);
    for (const double alpha : {1e-9, 1e-300}) {
      const Answer soft = run(setup(options(5, alpha), 6), prompt);
      EXPECT_EQ(soft.decoded.tokens, hard.decoded.tokens);
      EXPECT_EQ(soft.decoded.reward, hard.decoded.reward);
      EXPECT_EQ(soft.evaluations.policy, hard.evaluations.policy);
      // Less where the best one was drawn more than once: its weight is shared.
      EXPECT_LE(soft.decoded.kl_to_reference, hard.decoded.kl_to_reference);
    }
    const Answer even = run(setup(options(5, kInfinity), 6), prompt);
    EXPECT_NEAR(even.decoded.kl_to_reference, 0.0, 1e-12);
    seen.insert(even.decoded.tokens);
    const Answer one = run(setup(options(1, 0.1), 6), prompt);
    EXPECT_EQ(one.decoded.tokens, run(setup({.name = "sample"}, 6), prompt).decoded.tokens);
    EXPECT_EQ(one.decoded.kl_to_reference, 0.0);
  }
  EXPECT_GT(seen.size(), 5u);
  const Law responses = testing::responses(policy_, prompt_, 2);
  testing::expect_law(testing::sample_law(setup(options(4, kInfinity)), prompt_, 4000).law,
                      responses, 4000);
}

TEST_F(SoftBestOf, WithOneBestResponseTheKlIsThatOfBestOfN) {
  const Policy endless(testing::endless(12), Format::raw);
  const tq::Setup hard = setup_of(endless, options(5, 1e-9), testing::scattered_reward(), 8);
  EXPECT_NEAR(run(hard, prompt_).decoded.kl_to_reference, selection_bound(5), 1e-12);
}

TEST_F(SoftBestOf, RewardsOfAnySizeGiveNumbers) {
  for (const double scale : {1e4, -1e4}) {
    for (const double alpha : {1e-6, 1.0, 1e6}) {
      const auto reward =
          testing::reward_of([=](const Draft& d) { return scale * scattered(d.tokens); });
      const Answer out = run(setup_of(policy_, options(4, alpha), reward, 6), prompt_);
      EXPECT_TRUE(std::isfinite(out.decoded.kl_to_reference));
      EXPECT_GE(out.decoded.kl_to_reference, 0);
    }
  }
}

TEST_F(SoftBestOf, AddingAConstantToTheRewardChangesNothing) {
  for (int i = 0; i < 10; ++i) {
    const Prompt prompt = make_prompt(std::to_string(i), "0");
    const auto shifted =
        testing::reward_of([](const Draft& d) { return scattered(d.tokens) + 64.0; });
    const Answer moved = run(setup_of(policy_, options(4, 0.2), shifted, 6), prompt);
    EXPECT_EQ(moved.decoded.tokens, run(setup(options(4, 0.2), 6), prompt).decoded.tokens);
  }
}

TEST_F(SoftBestOf, DrawsFromTheBaselineAddTheResponsesLogRatio) {
  const Policy baseline(testing::random_table(3, 7, 9, Token{2}), Format::raw);
  const Answer out = run(setup(options(1, 1.0), 5, baseline), prompt_);
  double ratio = 0;
  testing::Tokens tokens;
  for (const Token token : out.decoded.tokens) {
    const auto z = static_cast<std::size_t>(token);
    ratio += log_softmax(testing::logits_of(baseline, prompt_, tokens))[z] -
             log_softmax(testing::logits_of(policy_, prompt_, tokens))[z];
    tokens.push_back(token);
  }
  EXPECT_NEAR(out.decoded.kl_to_reference, ratio, 1e-12);
}

}  // namespace
}  // namespace tq
