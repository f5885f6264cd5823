// The implicit token reward against its exact law at every state.
#include "transferq/decode/genarm.hpp"

#include <set>

#include "tests/decode/exact_laws.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::logits_of;
using testing::run;
using testing::setup_of;
using testing::Tokens;
using testing::operator+;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class GenArm : public ::testing::Test {
 protected:
  static DecoderOptions options(double alpha, std::size_t top_k = 4) {
    return {.name = "genarm", .alpha = alpha, .top_k = top_k};
  }
  tq::Setup setup(const DecoderOptions& o, std::size_t max_tokens = 5) const {
    return setup_of(reference_, o, nullptr, max_tokens, baseline_);
  }

  const Policy reference_{testing::random_table(4, 6, 1, Token{3}), Format::raw};
  const Policy baseline_{testing::random_table(4, 6, 2, Token{3}), Format::raw};
  const Prompt prompt_ = make_prompt("a", "0");
};

TEST_F(GenArm, EachStepIsTheProductOfPowersNormalised) {
  for (const double alpha : {0.25, 1.0, 2.5}) {
    const double w = 1 / alpha;
    for (int i = 0; i < 10; ++i) {
      const Prompt prompt = make_prompt(std::to_string(i), "1");
      const Answer out = run(setup(options(alpha)), prompt);
      Tokens tokens;
      double kl = 0;
      for (const Step& step : out.steps) {
        const auto p = softmax(logits_of(reference_, prompt, tokens));
        const auto q = softmax(logits_of(baseline_, prompt, tokens));
        double sum = 0;
        for (std::size_t z = 0; z < 4; ++z) sum += std::pow(p[z], 1 - w) * std::pow(q[z], w);
        ASSERT_EQ(step.candidates.size(), 4u);
        for (const CandidateView& c : step.candidates) {
          const auto z = static_cast<std::size_t>(c.token);
          const double law = std::pow(p[z], 1 - w) * std::pow(q[z], w) / sum;
          EXPECT_NEAR(c.probability, law, 1e-12);
          EXPECT_NEAR(c.value, std::log(q[z] / p[z]), 1e-12);
          kl += law * std::log(law / p[z]);
        }
        tokens.push_back(step.token);
      }
      EXPECT_EQ(tokens, out.decoded.tokens);
      EXPECT_NEAR(out.decoded.kl_to_reference, kl, 1e-12);
      EXPECT_EQ(out.decoded.kl_kind, KlKind::exact);
    }
  }
}

TEST_F(GenArm, AlphaOneIsTheBaselineAndInfinityTheReference) {
  constexpr int kRuns = 4000;
  const Prompt prompt = make_prompt("a", "0");
  testing::expect_law(testing::sample_law(setup(options(1.0), 2), prompt, kRuns).law,
                      testing::responses(baseline_, prompt, 2), kRuns);
  const auto plain = testing::sample_law(setup(options(kInfinity), 2), prompt, kRuns);
  testing::expect_law(plain.law, testing::responses(reference_, prompt, 2), kRuns);
  EXPECT_NEAR(plain.kl, 0.0, 1e-12);
}

TEST_F(GenArm, SmallAlphaTakesTheTokenOfTheHighestLogRatio) {
  const Answer out = run(setup(options(1e-6)), prompt_);
  for (const Step& step : out.steps) {
    for (const CandidateView& c : step.candidates) {
      EXPECT_LE(c.value, step.candidates[step.chosen].value);
    }
    EXPECT_NEAR(step.candidates[step.chosen].probability, 1.0, 1e-9);
  }
}

TEST_F(GenArm, ATokenThatTheBaselineNeverSaysIsNeverTakenUnlessItSaysNone) {
  const auto table = [](std::vector<double> row) {
    return std::make_shared<tabular::TabularModel>(3, tabular::Table{{{0}, std::move(row)}});
  };
  const Policy reference(table({0.5, 0.5, 0}), Format::raw);
  const auto first = [&](std::vector<double> row) {
    const tq::Setup setup = setup_of(reference, options(0.5, 3), nullptr, 1,
                                     Policy(table(std::move(row)), Format::raw));
    return run(setup, prompt_).steps.at(0).candidates;
  };
  const auto some = first({0, 0.5, 0.5});
  ASSERT_EQ(some.size(), 2u);  // what the reference never says is no candidate
  EXPECT_EQ(some[0].probability, 0.0);
  EXPECT_EQ(some[1].probability, 1.0);
  for (const CandidateView& c : first({0, 0, 1})) EXPECT_NEAR(c.probability, 0.5, 1e-12);
}

TEST_F(GenArm, CandidatesAreTheReferencesTopK) {
  const Answer out = run(setup(options(0.5, 2)), prompt_);
  Tokens tokens;
  for (const Step& step : out.steps) {
    const auto best = top_k(logits_of(reference_, prompt_, tokens), 2);
    ASSERT_EQ(step.candidates.size(), 2u);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(step.candidates[i].token, static_cast<Token>(best[i]));
    }
    EXPECT_EQ(step.plain_choice, static_cast<Token>(best[0]));
    tokens.push_back(step.token);
  }
}

TEST_F(GenArm, ATokenCostsOneEvaluationOfEachPolicy) {
  const Policy reference(testing::endless(5), Format::raw);
  const Policy baseline(testing::random_table(5, 1, 3), Format::raw);
  const Answer out =
      run(setup_of(reference, options(0.5, 5), nullptr, 12, baseline), make_prompt("a", "1"));
  ASSERT_EQ(out.decoded.tokens.size(), 12u);
  EXPECT_EQ(out.evaluations.policy, 11u);
  EXPECT_EQ(out.evaluations.reference, 11u);
  EXPECT_EQ(out.evaluations.reward, 0u);
}

TEST_F(GenArm, ARewardReadsTheStatesOfEitherPolicyAtNoCost) {
  const testing::TemporaryFolder folder;
  for (const Policy* base : {&reference_, &baseline_}) {
    const auto reward = testing::head_on(*base, folder);
    const HeadFile head = read_head(folder / "head.gguf");
    const Answer out = run(setup_of(reference_, options(0.5), reward, 5, baseline_), prompt_);
    const Tokens text = Tokens{0} + base->model().tokenize(out.decoded.text, false);
    EXPECT_NEAR(*out.decoded.reward, testing::head_value(head, base->model(), text), 1e-6);
    EXPECT_EQ(out.evaluations.reward, 0u);
  }
}

TEST_F(GenArm, WithoutABaselineItIsTheReference) {
  const tq::Setup alone = setup_of(reference_, options(0.1), nullptr, 5);
  const Answer out = run(alone, prompt_);
  for (const Step& step : out.steps) {
    for (const CandidateView& c : step.candidates) EXPECT_EQ(c.value, 0.0);
  }
  EXPECT_NEAR(out.decoded.kl_to_reference, 0.0, 1e-12);
}

}  // namespace
}  // namespace tq
