// Blocks, commits and gates in the loop: what a step keeps, what it shows, and what it costs.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/decode/decoding.hpp"
#include "transferq/core/logspace.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::logits_of;
using testing::reward_of;
using testing::run;
using testing::setup_of;
using testing::Tokens;

constexpr std::size_t kTop = 5, kHorizon = 8;

double length(const Draft& d) { return static_cast<double>(d.text.size()); }
double noise(const Draft& d) { return uniform({.prompt = hash32(d.text.data(), d.text.size())}); }

class StepsTest : public ::testing::Test {
 protected:
  static DecoderOptions options(std::size_t block, std::size_t commit,
                                const std::string& name = "tq") {
    DecoderOptions out{.name = name, .alpha = 0.1, .top_k = kTop, .horizon = kHorizon};
    out.block = block;
    out.commit = commit;
    return out;
  }

  // Steps that chose: position, and tokens up to the next one.
  static std::vector<std::pair<std::size_t, std::size_t>> choices(const Answer& out) {
    std::vector<std::pair<std::size_t, std::size_t>> found;
    for (std::size_t i = 0; i < out.steps.size(); ++i) {
      if (!out.steps[i].candidates.empty()) found.emplace_back(i, 0);
      ++found.at(found.size() - 1).second;
    }
    return found;
  }

  testing::TinyModels tiny_;
  const testing::TemporaryFolder folder_;
  const Policy endless_{testing::endless(12), Format::raw};
  const Policy other_endless_{std::make_shared<tabular::TabularModel>(
                                  12, tabular::Table{{{}, std::vector<double>(12, 1.0 / 12)}}),
                              Format::raw};
  const std::shared_ptr<const Model> model_ = tiny_.load({.seed = 3});
  const Policy policy_{model_, Format::chat};
  const Prompt prompt_ = make_prompt("p", "The good");
};

// What a step evaluates whose roll-outs reach as far as `room` lets them, each token once.
std::uint64_t step_cost(std::size_t block, std::size_t room, bool hidden) {
  const std::size_t candidate = std::min(block, room);
  const std::size_t depth = std::min(kHorizon, room - candidate);
  if (hidden) return kTop * (candidate + depth);
  return depth > 0 ? kTop * (candidate + depth - 1) : kTop * (candidate - 1);
}

TEST_F(StepsTest, ACommitKeepsItsRollOutsMemoryAndEvaluatesNothingAgain) {
  const auto rule = reward_of(noise);
  const auto shared = testing::head_on(endless_, folder_);
  for (const std::size_t block : {1u, 2u, 4u}) {
    for (std::size_t commit = 1; commit <= kHorizon; ++commit) {
      for (const std::size_t samples : {1u, 2u}) {
        for (const bool hidden : {false, true}) {
          SCOPED_TRACE(::testing::Message() << block << " " << commit << " " << samples << hidden);
          constexpr std::size_t kTokens = 21;
          DecoderOptions o = options(block, commit);
          o.rollouts = samples;
          const Answer out = run(setup_of(endless_, o, hidden ? shared : rule, kTokens),
                                 make_prompt("a", "1.2."), testing::session_of(4000, 100));
          ASSERT_EQ(out.decoded.tokens.size(), kTokens);
          std::uint64_t expected = 0;
          std::size_t at = 0;
          for (const auto& [position, made] : choices(out)) {
            EXPECT_EQ(position, at);
            EXPECT_EQ(made, std::min(block + commit - 1, kTokens - at));
            const std::size_t room = kTokens - at;
            const std::size_t depth = std::min(kHorizon, room - std::min(block, room));
            expected +=
                step_cost(block, room, hidden) +
                kTop * (samples - 1) * (hidden ? depth : std::max<std::size_t>(depth, 1) - 1);
            at += made;
          }
          if (samples == 1) {
            EXPECT_EQ(out.evaluations.policy, expected);
          } else {  // less what two roll-outs happen to have in common
            EXPECT_LE(out.evaluations.policy, expected);
          }
          EXPECT_EQ(out.evaluations.reward, 0u);
        }
      }
    }
  }
}

TEST_F(StepsTest, ABudgetIsSharedByTheTokensThatAStepCanMake) {
  const auto decode = [&](std::size_t commit) {
    DecoderOptions o = options(1, commit);
    o.horizon = 1;
    o.kl_budget = 4.0;
    return run(setup_of(endless_, o, reward_of(noise), 6), make_prompt("a", "1.2."));
  };
  const Answer two = decode(2), many = decode(6);
  EXPECT_EQ(two.decoded.tokens, many.decoded.tokens);
  EXPECT_EQ(two.decoded.kl_to_reference, many.decoded.kl_to_reference);
  ASSERT_TRUE(many.steps[0].alpha);
  EXPECT_EQ(two.steps[0].alpha, many.steps[0].alpha);
}

TEST_F(StepsTest, ACommitOfTheWholeRollOutEvaluatesItsLastTokenAlone) {
  constexpr std::size_t kTokens = 2 * (kHorizon + 1) + 1;
  const auto rule = reward_of(noise);
  for (const std::size_t commit : {kHorizon + 1, kHorizon + 50}) {
    const Answer out =
        run(setup_of(endless_, options(1, commit), rule, kTokens), make_prompt("a", "1.2."));
    EXPECT_EQ(choices(out).size(), 3u);  // never past the roll-out's end
    EXPECT_EQ(out.evaluations.policy,
              2 * (step_cost(1, kTokens, false) + 1) + step_cost(1, 1, false));
    const Answer read =
        run(setup_of(endless_, options(1, commit), testing::head_on(endless_, folder_), kTokens),
            make_prompt("a", "1.2."));
    EXPECT_EQ(read.evaluations.policy, 2 * step_cost(1, kTokens, true) + step_cost(1, 1, true));
  }
}

TEST_F(StepsTest, WhereMemoryDoesNotKeepARollOutItsTokensAreEvaluatedOnceMore) {
  const auto rule = reward_of(noise);
  constexpr std::size_t kTokens = 21;
  for (const std::size_t block : {1u, 3u}) {
    for (const std::size_t commit : {1u, 4u, 9u}) {
      const auto setup = setup_of(endless_, options(block, commit), rule, kTokens);
      const Answer wide = run(setup, make_prompt("a", "1.2."), testing::session_of(4000, 100));
      for (const std::size_t cells : {40u, 48u, 60u, 80u, 120u}) {
        const Answer narrow = run(setup, make_prompt("a", "1.2."), testing::session_of(cells, 64));
        EXPECT_EQ(narrow.decoded.tokens, wide.decoded.tokens) << cells;
        EXPECT_GE(narrow.evaluations.policy, wide.evaluations.policy);
        EXPECT_LE(narrow.evaluations.policy, wide.evaluations.policy + kTokens);
      }
    }
  }
}

TEST_F(StepsTest, CommittedBranchesAreThePrefixEvaluatedFromNothing) {
  const Policy baseline(model_, Format::chat, {}, "Be kind to the bad");
  for (const bool with_baseline : {false, true}) {
    for (const auto& [block, commit] :
         std::vector<std::pair<std::size_t, std::size_t>>{{1, 4}, {1, 30}, {3, 1}, {3, 3}}) {
      for (const bool greedy : {false, true}) {
        DecoderOptions o = options(block, commit);
        o.greedy_rollouts = greedy;
        o.rollouts = 2;
        const Answer out = run(setup_of(policy_, o, reward_of(noise), 12,
                                        with_baseline ? std::optional(baseline) : std::nullopt),
                               prompt_);
        const Policy& proposal = with_baseline ? baseline : policy_;
        Tokens tokens;
        for (const Step& step : out.steps) {
          const auto logprobs = log_softmax(logits_of(proposal, prompt_, tokens));
          for (const CandidateView& c : step.candidates) {
            if (block == 1) {
              EXPECT_NEAR(c.logprob, logprobs[static_cast<std::size_t>(c.token)], 1e-4);
              EXPECT_TRUE(c.block.empty());
              continue;
            }
            double sum = 0;
            Tokens grown = tokens;
            for (const Token token : c.block) {
              sum +=
                  log_softmax(logits_of(proposal, prompt_, grown))[static_cast<std::size_t>(token)];
              grown.push_back(token);
            }
            EXPECT_NEAR(c.logprob, sum, 1e-3);
            EXPECT_EQ(c.block.front(), c.token);
          }
          tokens.push_back(step.token);
        }
        EXPECT_EQ(tokens, out.decoded.tokens);
        EXPECT_LE(out.evaluations.reference, tokens.size());
      }
    }
  }
}

// The states are those of the tokens that were kept, and these are all that may be.
TEST_F(StepsTest, AConfidentCommitEndsBeforeTheFirstDoubtfulToken) {
  const Policy policy(tiny_.load({.seed = 5, .temperature = 0.3}), Format::chat);
  const Policy baseline(policy.shared_model(), Format::chat, {}, "Be kind to the bad");
  constexpr double kConfidence = 0.75;
  std::size_t kept = 0, cut = 0, none = 0;
  for (const bool with_baseline : {false, true}) {
    for (const std::size_t block : {1u, 3u}) {
      for (const std::size_t horizon : {3u, 8u}) {
        DecoderOptions o = options(block, 6);
        o.greedy_rollouts = true;
        o.horizon = horizon;
        o.commit_confidence = kConfidence;
        const Answer out = run(setup_of(policy, o, reward_of(noise), 24,
                                        with_baseline ? std::optional(baseline) : std::nullopt),
                               prompt_);
        const Policy& roller = with_baseline ? baseline : policy;
        Tokens tokens;
        std::size_t behind = 0;  // tokens since the last choice
        for (const Step& step : out.steps) {
          const auto logprobs = log_softmax(logits_of(roller, prompt_, tokens));
          const double likeliest = *std::max_element(logprobs.begin(), logprobs.end());
          const double chosen = logprobs[static_cast<std::size_t>(step.token)];
          if (!step.candidates.empty()) {
            for (const CandidateView& c : step.candidates) {
              if (block == 1) {
                EXPECT_NEAR(c.logprob, logprobs[static_cast<std::size_t>(c.token)], 1e-4);
              }
            }
            if (behind >= block && behind < block + std::min<std::size_t>(5, horizon)) {
              EXPECT_LT(likeliest, std::log(kConfidence));
              ++(behind > block ? cut : none);
            }
            behind = 0;
          } else if (behind >= block) {
            EXPECT_GT(chosen, std::log(kConfidence) - 1e-4);
            ++kept;
          }
          ++behind;
          tokens.push_back(step.token);
        }
        EXPECT_EQ(tokens, out.decoded.tokens);
      }
    }
  }
  EXPECT_GT(kept, 0u);
  EXPECT_GT(cut, 0u);
  EXPECT_GT(none, 0u);
}

TEST_F(StepsTest, NoConfidenceKeepsAllAndACertainOneNothing) {
  const auto decode = [&](std::size_t commit, double confidence) {
    DecoderOptions o = options(1, commit);
    o.greedy_rollouts = true;
    o.commit_confidence = confidence;
    return run(setup_of(policy_, o, reward_of(noise), 12), prompt_);
  };
  const Answer all = decode(5, 0), same = decode(5, 1e-12);
  EXPECT_EQ(same.decoded.tokens, all.decoded.tokens);
  EXPECT_EQ(same.evaluations.policy, all.evaluations.policy);
  EXPECT_DOUBLE_EQ(same.decoded.kl_to_reference, all.decoded.kl_to_reference);
  const Answer one = decode(1, 0), none = decode(5, 1);
  EXPECT_EQ(none.decoded.tokens, one.decoded.tokens);
  EXPECT_EQ(none.evaluations.policy, one.evaluations.policy);
}

// Of the roll-outs' texts the reward names the one to come.
TEST_F(StepsTest, TheCommittedRollOutIsTheOneOfTheHighestReward) {
  for (int id = 0; id < 6; ++id) {
    std::vector<std::string> texts;
    std::string best;
    double most = -1;
    const auto reward = reward_of([&](const Draft& d) {
      const double r = noise(d);
      if (r > most) most = r, best = d.text;
      return r;
    });
    DecoderOptions o = options(1, kHorizon + 1);
    o.rollouts = 3;
    o.alpha = 1e-9;  // the best candidate's mean need not be that of the best roll-out: take one
    o.top_k = 1;
    run(setup_of(endless_, o, reward, kHorizon + 1), make_prompt(std::to_string(id), "1.2."));
    const Answer out =
        run(setup_of(endless_, o, reward, kHorizon + 1), make_prompt(std::to_string(id), "1.2."));
    EXPECT_EQ(out.decoded.text, best);
  }
}

TEST_F(StepsTest, BlocksAndCommitsOfOneAreTheDecoderWithoutThem) {
  for (const std::string name : {"tq", "cd", "args"}) {
    const DecoderOptions plain{.name = name, .alpha = 0.1, .top_k = kTop, .horizon = kHorizon};
    const Answer a = run(setup_of(policy_, plain, reward_of(noise)), prompt_);
    DecoderOptions same = plain;
    same.block = same.commit = 1;
    same.min_p = 0;
    const Answer b = run(setup_of(policy_, same, reward_of(noise)), prompt_);
    EXPECT_EQ(a.decoded.tokens, b.decoded.tokens);
    EXPECT_EQ(a.decoded.kl_to_reference, b.decoded.kl_to_reference);
    EXPECT_EQ(a.evaluations.policy, b.evaluations.policy);
  }
}

TEST_F(StepsTest, BlocksThatEndTheTextAreValuedAsTheyStand) {
  const Policy policy(testing::random_table(3, 8, 5, Token{2}), Format::raw);
  std::set<Finish> seen;
  for (int id = 0; id < 30; ++id) {
    for (const bool hidden : {false, true}) {
      DecoderOptions o = options(3, 2);
      o.alpha = 10;
      o.horizon = 2;
      o.top_k = 3;
      const auto reward = hidden ? testing::head_on(policy, folder_) : reward_of(length);
      const Answer out = run(setup_of(policy, o, reward, 6), make_prompt(std::to_string(id), "0"));
      std::string text;
      for (const Step& step : out.steps) {
        for (const CandidateView& c : step.candidates) {
          const bool ended = c.block.back() == 2;
          EXPECT_EQ(std::count(c.block.begin(), c.block.end(), 2), ended ? 1 : 0);
          if (ended && !hidden) {
            EXPECT_EQ(c.value, static_cast<double>(text.size() + c.block.size() - 1));
          }
        }
        text += step.text;
      }
      EXPECT_EQ(text, out.decoded.text);
      EXPECT_EQ(out.decoded.finish == Finish::stop, out.decoded.tokens.back() == 2);
      seen.insert(out.decoded.finish);
    }
  }
  EXPECT_EQ(seen.size(), 2u);
}

TEST_F(StepsTest, AGateLeavesOutTheImprobableAndACandidateAloneCostsNothing) {
  const Policy sharp(tiny_.load({.seed = 5, .temperature = 0.02}), Format::chat);
  std::size_t alone = 0, several = 0;
  for (const std::string name : {"tq", "cd", "args"}) {
    DecoderOptions o = options(1, 1, name);
    o.min_p = 0.2;
    const Answer out = run(setup_of(sharp, o, reward_of(noise), 16), prompt_);
    Tokens tokens;
    double kl = 0;
    std::uint64_t expected = 0;
    for (std::size_t i = 0; i < out.steps.size(); ++i) {
      const Step& step = out.steps[i];
      const auto logprobs = log_softmax(logits_of(sharp, prompt_, tokens));
      for (const CandidateView& c : step.candidates) {
        EXPECT_GE(c.logprob, step.candidates.front().logprob + std::log(0.2) - 1e-6);
        EXPECT_EQ(std::isnan(c.value), step.candidates.size() == 1);
        kl +=
            c.probability * (std::log(c.probability) - logprobs[static_cast<std::size_t>(c.token)]);
      }
      const std::size_t n = step.candidates.size();
      (n == 1 ? alone : several) += 1;
      if (name == "args") {
        expected += i + 1 < out.steps.size();  // as it is committed
      } else if (n == 1) {
        expected += i + 1 < out.steps.size();
      }
      tokens.push_back(step.token);
    }
    EXPECT_NEAR(out.decoded.kl_to_reference, kl, 1e-3);
    EXPECT_EQ(out.decoded.kl_kind, KlKind::exact);
    if (name == "args" && out.decoded.finish == Finish::length) {
      EXPECT_EQ(out.evaluations.policy, expected);
    } else {
      EXPECT_GE(out.evaluations.policy, expected);
    }
  }
  EXPECT_GT(alone, 0u);
  EXPECT_GT(several, 0u);
}

TEST_F(StepsTest, AGateOfOneDecodesGreedilyAtOneEvaluationAToken) {
  DecoderOptions o = options(1, 5);
  o.min_p = 1;
  const Answer gated = run(setup_of(policy_, o, reward_of(noise), 16), prompt_);
  const Answer plain = run(setup_of(policy_, {.name = "greedy"}, reward_of(noise), 16), prompt_);
  EXPECT_EQ(gated.decoded.tokens, plain.decoded.tokens);
  EXPECT_LE(gated.evaluations.policy, gated.decoded.tokens.size());
  EXPECT_EQ(gated.evaluations.policy, plain.evaluations.policy);
  EXPECT_NEAR(gated.decoded.kl_to_reference, plain.decoded.kl_to_reference, 1e-9);
}

TEST_F(StepsTest, ExtremeRewardsAndAlphasGiveNumbers) {
  const auto huge = reward_of([](const Draft& d) { return noise(d) < 0.5 ? -1e4 : 1e4; });
  for (const double alpha : {1e-300, 1e-6, 1e6}) {
    for (const Choose choose : {Choose::sample, Choose::greedy}) {
      for (const auto& [block, commit] :
           std::vector<std::pair<std::size_t, std::size_t>>{{1, 1}, {1, 4}, {3, 1}, {3, 3}}) {
        DecoderOptions o = options(block, commit);
        o.alpha = alpha;
        o.choose = choose;
        const Answer out = run(setup_of(policy_, o, huge, 16), prompt_);
        EXPECT_TRUE(std::isfinite(out.decoded.kl_to_reference));
        for (const Step& step : out.steps) {
          double sum = 0;
          for (const CandidateView& c : step.candidates) {
            EXPECT_TRUE(std::isfinite(c.value) && std::isfinite(c.probability));
            sum += c.probability;
          }
          if (!step.candidates.empty()) {
            EXPECT_NEAR(sum, 1, 1e-12);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace tq
