// Speculative rejection against the exact law over all N-tuples of responses.
#include "transferq/decode/speculative_rejection.hpp"

#include "tests/decode/exact_laws.hpp"
#include "transferq/decode/drawing.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::Law;
using testing::run;
using testing::scattered;
using testing::setup_of;
using testing::Tokens;

class SpeculativeRejection : public ::testing::Test {
 protected:
  static DecoderOptions options(std::size_t samples, double rate, std::size_t chunk) {
    return {.name = "speculative-rejection",
            .samples = samples,
            .chunk = chunk,
            .rejection_rate = rate};
  }
  tq::Setup setup(const DecoderOptions& o, std::size_t max_tokens = 3) const {
    return setup_of(policy_, o, testing::scattered_reward(), max_tokens);
  }

  const Policy policy_{testing::random_table(3, 8, 6, Token{2}), Format::raw};
  const Prompt prompt_ = make_prompt("a", "0");
};

// The answer when these responses are drawn: the rule, written anew.
Tokens survivor(std::vector<Tokens> alive, double rate, std::size_t chunk, std::size_t longest) {
  for (std::size_t length = chunk; length < longest; length += chunk) {
    std::vector<std::pair<double, std::size_t>> growing;  // worst first, of equals the later
    for (std::size_t i = 0; i < alive.size(); ++i) {
      if (alive[i].size() > length || (alive[i].size() == length && alive[i].back() != 2)) {
        const Tokens part(alive[i].begin(), alive[i].begin() + static_cast<std::ptrdiff_t>(length));
        growing.emplace_back(scattered(part), alive.size() - i);
      }
    }
    std::sort(growing.begin(), growing.end());
    growing.resize(static_cast<std::size_t>(rate * static_cast<double>(growing.size())));
    const std::size_t all = alive.size();
    std::vector<Tokens> left;
    for (std::size_t i = 0; i < all; ++i) {
      const bool out = std::any_of(growing.begin(), growing.end(),
                                   [&](const auto& g) { return g.second == all - i; });
      if (!out) left.push_back(alive[i]);
    }
    alive = std::move(left);
  }
  return *std::max_element(alive.begin(), alive.end(), [](const Tokens& a, const Tokens& b) {
    return scattered(a) < scattered(b);
  });
}

TEST_F(SpeculativeRejection, FollowsTheLawOverAllTuples) {
  const Law responses = testing::responses(policy_, prompt_, 3);
  constexpr int kRuns = 6000;
  for (const std::size_t chunk : {1u, 2u}) {
    Law exact;
    for (const auto& [a, p] : responses) {
      for (const auto& [b, q] : responses) {
        for (const auto& [c, r] : responses) {
          exact[survivor({a, b, c}, 0.5, chunk, 3)] += p * q * r;
        }
      }
    }
    const auto sampled = testing::sample_law(setup(options(3, 0.5, chunk)), prompt_, kRuns);
    testing::expect_law(sampled.law, exact, kRuns);
    EXPECT_LE(testing::kl_of(exact, responses), selection_bound(3));
    EXPECT_NEAR(sampled.kl, selection_bound(3), 1e-9);
  }
  EXPECT_EQ(run(setup(options(3, 0.5, 1)), prompt_).decoded.kl_kind, KlKind::bound);
}

TEST_F(SpeculativeRejection, RateZeroIsBestOfNToTheBit) {
  for (int i = 0; i < 20; ++i) {
    const Prompt prompt = make_prompt(std::to_string(i), "0");
    const Answer best = run(setup({.name = "best-of", .samples = 6}, 7), prompt);
    for (const std::size_t chunk : {1u, 3u, 100u}) {
      const Answer out = run(setup(options(6, 0, chunk), 7), prompt);
      EXPECT_EQ(out.decoded.tokens, best.decoded.tokens);
      EXPECT_EQ(out.decoded.reward, best.decoded.reward);
      EXPECT_EQ(out.decoded.kl_to_reference, best.decoded.kl_to_reference);
      EXPECT_EQ(out.evaluations.policy, best.evaluations.policy);
    }
  }
}

TEST_F(SpeculativeRejection, ItsAnswerIsOneOfBestOfNsResponsesAndCostsLess) {
  std::uint64_t best_cost = 0, cost = 0;
  for (int i = 0; i < 20; ++i) {
    const Prompt prompt = make_prompt(std::to_string(i), "0");
    const Answer best = run(setup({.name = "best-of", .samples = 8}, 7), prompt);
    const Answer out = run(setup(options(8, 0.5, 2), 7), prompt);
    EXPECT_LE(*out.decoded.reward, *best.decoded.reward);
    best_cost += best.evaluations.policy;
    cost += out.evaluations.policy;
  }
  EXPECT_LT(cost, best_cost);
}

TEST_F(SpeculativeRejection, TurnsGiveTheSameAnswer) {
  const DecoderOptions o = options(9, 0.3, 2);
  for (int i = 0; i < 5; ++i) {
    const Prompt prompt = make_prompt(std::to_string(i), "0");
    const Answer once = run(setup(o, 6), prompt);
    for (const std::size_t cells : {7u, 15u, 40u}) {
      const Answer turns = run(setup(o, 6), prompt, testing::session_of(cells));
      EXPECT_EQ(turns.decoded.tokens, once.decoded.tokens);
      EXPECT_GE(turns.evaluations.policy, once.evaluations.policy);
    }
  }
}

TEST(SpeculativeRejectionCost, EachPhaseCostsWhatStillGrows) {
  const testing::TemporaryFolder folder;
  const Policy endless(testing::endless(12), Format::raw);
  const DecoderOptions o{.name = "speculative-rejection", .samples = 8, .chunk = 10};
  const auto rule = testing::reward_of([](const Draft& d) { return scattered(d.tokens); });
  const Prompt prompt = make_prompt("a", "1.2.");
  // 8, 4, 2 responses; the last token of those given up, and of the answer, is never evaluated.
  const Answer out = run(setup_of(endless, o, rule, 30), prompt);
  EXPECT_EQ(out.evaluations.policy, 8 * 9u + 4 * 10u + 2 * 10u);
  // A head that reads the policy's states needs each of them.
  const Answer head = run(setup_of(endless, o, testing::head_on(endless, folder), 30), prompt);
  EXPECT_EQ(head.evaluations.policy, 80u + 40u + 20u);
  EXPECT_EQ(head.evaluations.reward, 0u);
}

TEST(SpeculativeRejectionRule, TheShareGivenUp) {
  EXPECT_EQ(given_up(10, 0.0), 0u);
  EXPECT_EQ(given_up(10, 0.1), 1u);
  EXPECT_EQ(given_up(100, 0.29), 29u);
  EXPECT_EQ(given_up(5, 0.5), 2u);
  EXPECT_EQ(given_up(1, 0.999), 0u);
  EXPECT_EQ(given_up(1000, 0.9999999999999), 999u);
  EXPECT_EQ(given_up(0, 0.5), 0u);
}

TEST(SpeculativeRejectionRule, TheWorkloadIsWhatTheGrowingOnesHold) {
  const auto work = [](std::size_t samples, double rate, std::size_t chunk) {
    return SpeculativeRejectionDecoder({samples, rate, chunk, Proposal::reference}).workload(30);
  };
  EXPECT_EQ(work(8, 0, 10).depth, 30u);     // as best-of-N
  EXPECT_EQ(work(8, 0.5, 10).depth, 10u);   // 8 x 10, 4 x 20, 2 x 30
  EXPECT_EQ(work(8, 0.25, 10).depth, 19u);  // 8 x 10, 6 x 20, 5 x 30
  EXPECT_EQ(work(8, 0.5, 10).width, 8u);
}

}  // namespace
}  // namespace tq
