// What is left of the last winner's roll-out: the next step gets the same roll-outs from it, and
// pays for what is new alone.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/decode/decoding.hpp"
#include "transferq/rollout/continuation.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::Tokens;

// Grows every roll-out from its candidate on.
class Forgetful final : public Expander {
 public:
  explicit Forgetful(ContinuationOptions options) : inner_(options) {}
  Expansion expand(const ExpandRequest& request) const override {
    ExpandRequest bare = request;
    bare.ahead = nullptr;
    return inner_.expand(bare);
  }
  std::size_t width() const override { return inner_.width(); }
  std::size_t depth() const override { return inner_.depth(); }

 private:
  Continuation inner_;
};

double noise(const Draft& d) { return uniform({.prompt = hash32(d.text.data(), d.text.size())}); }

struct Pair {
  Answer with, without;
};

Pair run_both(const Policy& policy, const TokenValueOptions& options, std::size_t horizon,
              const std::shared_ptr<const Reward>& reward, const SessionOptions& session,
              std::size_t tokens, const std::optional<Policy>& baseline = std::nullopt) {
  const ContinuationOptions rollouts{.horizon = horizon, .greedy = true};
  Setup setup = testing::setup_of(policy, {}, reward, tokens, baseline);
  const auto answer = [&](std::unique_ptr<Expander> expander) {
    setup.decoder = std::make_shared<TokenValueDecoder>(options, std::move(expander));
    return testing::run(setup, make_prompt("p", "1."), session);
  };
  return {answer(std::make_unique<Continuation>(rollouts)),
          answer(std::make_unique<Forgetful>(rollouts))};
}

TokenValueOptions options_of(std::size_t commit, Choose choose, double min_p = 0) {
  TokenValueOptions out{.alpha = 0.3, .top_k = 4, .choose = choose, .commit = {commit}};
  out.min_p = min_p;
  out.greedy_rollouts = true;
  return out;
}

void expect_same(const Answer& a, const Answer& b) {
  EXPECT_EQ(a.decoded.tokens, b.decoded.tokens);
  EXPECT_EQ(a.decoded.kl_to_reference, b.decoded.kl_to_reference);
  EXPECT_EQ(a.decoded.reward, b.decoded.reward);
  ASSERT_EQ(a.steps.size(), b.steps.size());
  for (std::size_t i = 0; i < a.steps.size(); ++i) {
    ASSERT_EQ(a.steps[i].candidates.size(), b.steps[i].candidates.size());
    for (std::size_t c = 0; c < a.steps[i].candidates.size(); ++c) {
      const CandidateView& x = a.steps[i].candidates[c];
      const CandidateView& y = b.steps[i].candidates[c];
      EXPECT_EQ(x.probability, y.probability);
      EXPECT_TRUE(x.value == y.value || (std::isnan(x.value) && std::isnan(y.value)));
    }
  }
}

// All that goes with greedy roll-outs.
std::vector<TokenValueOptions> variants(Choose choose) {
  std::vector<TokenValueOptions> out;
  for (const std::size_t commit : {1u, 2u, 5u}) {
    out.push_back(options_of(commit, choose));
    out.push_back(options_of(commit, choose, 0.4));
    out.push_back(options_of(commit, choose));
    out.back().halvings = 2;
    out.push_back(options_of(commit, choose, 0.1));
    out.back().halvings = 3;
    out.push_back(options_of(commit, choose));
    out.back().proposal = Proposal::reference;
    out.push_back(options_of(commit, choose));
    out.back().commit.confidence = 0.5;
    if (choose == Choose::greedy) continue;
    out.push_back(options_of(commit, choose));
    out.back().kl_budget = 1.5;
  }
  return out;
}

// To the bit, with a reward that reads the text and with one that reads states.
TEST(Ahead, TheSameTokensValuesAndKlForFewerEvaluations) {
  const testing::TemporaryFolder folder;
  std::uint64_t with = 0, without = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const Policy policy(testing::random_table(4, 9, seed, Token{3}), Format::raw);
    const Policy other(testing::random_table(4, 9, seed + 50, Token{3}), Format::raw);
    const Choose choose = seed % 2 == 0 ? Choose::greedy : Choose::sample;
    for (const auto& reward : {testing::reward_of(noise), testing::head_on(policy, folder),
                               testing::pooled_head_on(policy, folder)}) {
      for (const TokenValueOptions& options : variants(choose)) {
        for (const auto& baseline : {std::optional<Policy>(), std::optional<Policy>(other)}) {
          SCOPED_TRACE(::testing::Message()
                       << seed << " commit " << options.commit.tokens << " min-p " << options.min_p
                       << " halvings " << options.halvings << " two " << baseline.has_value());
          const Pair got =
              run_both(policy, options, 5, reward, testing::session_of(2000, 100), 8, baseline);
          expect_same(got.with, got.without);
          EXPECT_LE(got.with.evaluations.policy, got.without.evaluations.policy);
          with += got.with.evaluations.policy;
          without += got.without.evaluations.policy;
        }
      }
    }
  }
  EXPECT_LT(static_cast<double>(with), 0.97 * static_cast<double>(without));
}

// Where the likeliest token always wins, its roll-out is evaluated but for what is new: the first
// token, which is the candidate, and the last.
TEST(Ahead, AWinnerThatIsLikeliestPaysForTwoTokens) {
  constexpr std::size_t kHorizon = 6, kTop = 4, kTokens = 18;
  const Policy policy(testing::endless(12), Format::raw);
  const testing::TemporaryFolder folder;
  TokenValueOptions options = options_of(1, Choose::greedy);
  options.alpha = std::numeric_limits<double>::infinity();
  const Pair got = run_both(policy, options, kHorizon, testing::head_on(policy, folder),
                            testing::session_of(2000, 100), kTokens);
  EXPECT_EQ(got.with.decoded.tokens, got.without.decoded.tokens);
  std::uint64_t expected = 0;
  for (std::size_t room = kTokens; room > 0; --room) {
    const std::size_t depth = std::min(kHorizon, room - 1);
    const std::size_t known = room == kTokens ? 0 : std::min(kHorizon, room) - 1;
    expected += kTop * (1 + depth) - std::min(known, depth);
  }
  EXPECT_EQ(got.with.evaluations.policy, expected);
}

// A memory that is too small for branches to stay gives the same, too.
TEST(Ahead, AShortMemoryForgets) {
  const Policy policy(testing::endless(12), Format::raw);
  std::vector<std::uint64_t> saved;
  for (const std::size_t cells : {26u, 40u, 60u, 200u}) {
    const Pair got = run_both(policy, options_of(2, Choose::greedy), 5, testing::reward_of(noise),
                              testing::session_of(cells, 100), 18);
    EXPECT_EQ(got.with.decoded.tokens, got.without.decoded.tokens);
    EXPECT_EQ(got.with.decoded.kl_to_reference, got.without.decoded.kl_to_reference);
    ASSERT_LE(got.with.evaluations.policy, got.without.evaluations.policy);
    saved.push_back(got.without.evaluations.policy - got.with.evaluations.policy);
  }
  EXPECT_EQ(saved.front(), 0u);
  EXPECT_GT(saved.back(), 0u);
}

// The same on weights.
TEST(Ahead, OnATransformerValuesDifferByRoundingAlone) {
  testing::TinyModels tiny;
  const testing::TemporaryFolder folder;
  const Policy policy(tiny.load({.seed = 3}), Format::raw);
  for (const std::size_t commit : {1u, 3u}) {
    const Pair got = run_both(policy, options_of(commit, Choose::greedy), 6,
                              testing::head_on(policy, folder), testing::session_of(512, 40), 18);
    EXPECT_EQ(got.with.decoded.tokens, got.without.decoded.tokens);
    EXPECT_NEAR(got.with.decoded.kl_to_reference, got.without.decoded.kl_to_reference, 1e-3);
    EXPECT_LT(got.with.evaluations.policy, got.without.evaluations.policy);
    for (std::size_t i = 0; i < got.with.steps.size(); ++i) {
      const auto& a = got.with.steps[i].candidates;
      for (std::size_t c = 0; c < a.size(); ++c) {
        EXPECT_NEAR(a[c].value, got.without.steps[i].candidates.at(c).value, 1e-3);
      }
    }
  }
}

}  // namespace
}  // namespace tq
