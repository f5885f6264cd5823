// Decoding by values: the loop that tq, cd and args share.
#include "transferq/decode/token_value.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "tests/decode/decoding.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/core/text.hpp"
#include "transferq/rollout/continuation.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::logits_of;
using testing::reward_of;
using testing::run;
using testing::setup_of;
using testing::Tokens;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double vowels(const Draft& d) {
  return static_cast<double>(std::count_if(d.text.begin(), d.text.end(), [](char c) {
    return std::string("aeiou").find(c) != std::string::npos;
  }));
}

double ones(const Draft& d) {
  return static_cast<double>(std::count(d.text.begin(), d.text.end(), '1'));
}

// Each step's candidates are the likeliest tokens of `proposal` after what was chosen before them,
// and its probabilities are theirs tilted by the values.
void expect_consistent(const Answer& out, const Policy& proposal, const Prompt& prompt,
                       const DecoderOptions& options, double tolerance) {
  Tokens tokens;
  for (const Step& step : out.steps) {
    const auto logprobs = log_softmax(logits_of(proposal, prompt, tokens));
    std::vector<double> shown, values;
    for (const CandidateView& c : step.candidates) {
      EXPECT_NEAR(c.logprob, logprobs[static_cast<std::size_t>(c.token)], tolerance);
      shown.push_back(c.logprob);
      values.push_back(c.value);
    }
    EXPECT_EQ(step.candidates.size(), std::min(options.top_k, logprobs.size()));
    EXPECT_TRUE(std::is_sorted(shown.rbegin(), shown.rend()));
    EXPECT_NEAR(shown.front(), logprobs[argmax(logprobs)], tolerance);
    const auto expected = reweight(shown, values, options.alpha);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(step.candidates[i].probability, expected[i], 1e-12);
    }
    EXPECT_EQ(step.candidates.at(step.chosen).token, step.token);
    tokens.push_back(step.token);
  }
  EXPECT_EQ(tokens, out.decoded.tokens);
}

class TokenValueTest : public ::testing::Test {
 protected:
  testing::TinyModels tiny_;
  const std::shared_ptr<const Model> model_ = tiny_.load({.seed = 3});
  const Policy policy_{model_, Format::chat};
  const Prompt prompt_ = make_prompt("p", "The good");
  const std::shared_ptr<const Reward> reward_ = reward_of(vowels);
};

TEST_F(TokenValueTest, CommittedBranchesAreThePrefixEvaluatedFromNothing) {
  for (const std::string name : {"tq", "cd", "args"}) {
    SCOPED_TRACE(name);
    const DecoderOptions options{.name = name, .alpha = 0.5, .top_k = 5, .horizon = 4};
    expect_consistent(run(setup_of(policy_, options, reward_), prompt_), policy_, prompt_, options,
                      1e-4);
  }
}

TEST_F(TokenValueTest, InfiniteAlphaIsTheProposalItself) {
  const DecoderOptions options{.name = "tq", .alpha = kInfinity, .top_k = 5, .horizon = 4};
  const Answer sampled = run(setup_of(policy_, options, reward_), prompt_);
  for (const Step& step : sampled.steps) {
    std::vector<double> logprobs;
    for (const CandidateView& c : step.candidates) logprobs.push_back(c.logprob);
    const auto p = softmax(logprobs);
    for (std::size_t i = 0; i < p.size(); ++i) {
      EXPECT_NEAR(step.candidates[i].probability, p[i], 1e-12);
    }
  }
  DecoderOptions greedy = options;
  greedy.choose = Choose::greedy;
  const Answer plain = run(setup_of(policy_, {.name = "greedy"}), prompt_);
  const Answer valued = run(setup_of(policy_, greedy, reward_), prompt_);
  EXPECT_EQ(valued.decoded.tokens, plain.decoded.tokens);
  EXPECT_NEAR(valued.decoded.kl_to_reference, plain.decoded.kl_to_reference, 1e-3);
  for (const Step& step : valued.steps) EXPECT_EQ(step.plain_choice, step.token);
}

TEST_F(TokenValueTest, SmallAlphaRaisesTheReward) {
  double plain = 0, tilted = 0;
  for (int i = 0; i < 6; ++i) {
    const Prompt prompt = make_prompt(std::to_string(i), "The good");
    plain += *run(setup_of(policy_, {.name = "sample"}, reward_), prompt).decoded.reward;
    const DecoderOptions options{.name = "tq", .alpha = 0.05, .horizon = 4, .rollouts = 2};
    tilted += *run(setup_of(policy_, options, reward_), prompt).decoded.reward;
  }
  EXPECT_GT(tilted, plain + 6);
}

TEST_F(TokenValueTest, TheProposalIsTheBaselineOrTheReference) {
  const Policy baseline(model_, Format::chat, {}, "Be kind to the bad");
  for (const Proposal proposal : {Proposal::baseline, Proposal::reference}) {
    const DecoderOptions options{
        .name = "tq", .alpha = 1.0, .top_k = 5, .horizon = 3, .proposal = proposal};
    const Answer out = run(setup_of(policy_, options, reward_, 8, baseline), prompt_);
    expect_consistent(out, proposal == Proposal::baseline ? baseline : policy_, prompt_, options,
                      1e-4);
    // KL is to the reference, over the candidates, whoever proposes.
    double kl = 0;
    Tokens tokens;
    for (const Step& step : out.steps) {
      const auto reference = log_softmax(logits_of(policy_, prompt_, tokens));
      for (const CandidateView& c : step.candidates) {
        kl += c.probability *
              (std::log(c.probability) - reference[static_cast<std::size_t>(c.token)]);
      }
      tokens.push_back(step.token);
    }
    EXPECT_NEAR(out.decoded.kl_to_reference, kl, 1e-3);
    EXPECT_LE(out.evaluations.reference, out.decoded.tokens.size());
    EXPECT_GT(out.evaluations.reference, 0u);
  }
}

TEST_F(TokenValueTest, ABaselineThatTheDecoderDoesNotReadIsNeverEvaluated) {
  const Policy baseline(tiny_.load({.seed = 4}), Format::chat);  // in a session of its own
  for (const std::string name : {"cd", "args", "best-of", "sample"}) {
    SCOPED_TRACE(name);
    const DecoderOptions options{
        .name = name, .top_k = 5, .horizon = 6, .samples = 6, .proposal = Proposal::reference};
    const Answer alone = run(setup_of(policy_, options, reward_), prompt_);
    const Answer beside = run(setup_of(policy_, options, reward_, 12, baseline), prompt_);
    EXPECT_EQ(beside.decoded.tokens, alone.decoded.tokens);
    EXPECT_EQ(beside.evaluations.policy, alone.evaluations.policy);
    EXPECT_EQ(beside.evaluations.prompt, beside.prompt_tokens);
    EXPECT_EQ(beside.evaluations.reference, 0u);
  }
}

TEST_F(TokenValueTest, RollOutsGrowInTheSessionOfWhoeverRollsOut) {
  const Policy baseline(tiny_.load({.seed = 4}), Format::chat);
  for (const Proposal rollouts : {Proposal::baseline, Proposal::reference}) {
    for (const Proposal proposal : {Proposal::baseline, Proposal::reference}) {
      const DecoderOptions options{.name = "tq", .top_k = 5, .proposal = proposal};
      tq::Setup setup = setup_of(policy_, options, reward_, 8, baseline);
      setup.decoder = std::make_shared<TokenValueDecoder>(
          TokenValueOptions{1.0, 5, proposal, rollouts, Choose::sample},
          std::make_unique<Continuation>(ContinuationOptions{.horizon = 6}));
      expect_consistent(run(setup, prompt_), proposal == Proposal::baseline ? baseline : policy_,
                        prompt_, options, 1e-4);
    }
  }
}

TEST_F(TokenValueTest, SeedsReproduceWhateverTheWorkerDidBefore) {
  const Policy policy(testing::random_table(4, 7, 3, Token{3}), Format::raw);
  tq::Setup setup =
      setup_of(policy, {.name = "tq", .top_k = 4, .horizon = 2, .rollouts = 3}, reward_of(ones), 6);
  const auto alone = [&](const std::string& id) {
    return run(setup, make_prompt(id, "0")).decoded.tokens;
  };
  std::vector<Tokens> one;
  for (int i = 0; i < 8; ++i) one.push_back(alone(std::to_string(i)));
  Worker worker(setup, testing::session_of());
  for (int i = 7; i >= 0; --i) {
    const auto out = worker.generate(make_prompt(std::to_string(i), "0"));
    EXPECT_EQ(out.decoded.tokens, one[static_cast<std::size_t>(i)]);
  }
  EXPECT_GT(std::set<Tokens>(one.begin(), one.end()).size(), 1u);
  setup.seed = 8;
  std::vector<Tokens> other;
  for (int i = 0; i < 8; ++i) other.push_back(alone(std::to_string(i)));
  EXPECT_NE(one, other);
}

TEST_F(TokenValueTest, ACandidateThatEndsTheTextHasTheValueOfTheTextSoFar) {
  const Policy policy(testing::random_table(4, 7, 3, Token{3}), Format::raw);
  const auto setup =
      setup_of(policy, {.name = "tq", .alpha = 5, .top_k = 4, .horizon = 2}, reward_of(ones), 6);
  std::set<Finish> seen;
  for (int i = 0; i < 20; ++i) {
    const Answer out = run(setup, make_prompt(std::to_string(i), "0"));
    std::string text;
    for (const Step& step : out.steps) {
      for (const CandidateView& c : step.candidates) {
        if (c.token == 3) {
          EXPECT_EQ(c.value, std::count(text.begin(), text.end(), '1'));
        }
      }
      text += step.text;
    }
    EXPECT_EQ(text, out.decoded.text);
    EXPECT_EQ(out.decoded.finish == Finish::stop, out.decoded.tokens.back() == 3);
    seen.insert(out.decoded.finish);
  }
  EXPECT_EQ(seen.size(), 2u);
}

TEST_F(TokenValueTest, ArgsValuesAreTheRewardOfThePrefixItself) {
  const Policy policy(testing::random_table(4, 7, 3, Token{3}), Format::raw);
  const auto setup = setup_of(policy, {.name = "args", .top_k = 4}, reward_of(ones), 6);
  const Answer out = run(setup, make_prompt("a", "0"));
  std::string text;
  for (const Step& step : out.steps) {
    for (const CandidateView& c : step.candidates) {
      const std::string grown = c.token == 3 ? text : text + c.text;
      EXPECT_EQ(c.value, std::count(grown.begin(), grown.end(), '1'));
    }
    text += step.text;
  }
}

// The text of a draft: whole characters, without what a further token may complete.
std::string scored_text(const Model& model, Tokens tokens) {
  if (model.is_end(tokens.back())) tokens.pop_back();
  const std::string bytes = model.text(tokens, false);
  return replace_invalid_utf8(bytes.substr(0, complete_utf8(bytes)));
}

// A reward that leads the decoder along given tokens.
TEST_F(TokenValueTest, CharactersMadeOfSeveralTokensAreScoredAndWrittenWhole) {
  const std::string bytes = "a\xE4\xB8\xAD\xF0\x9F\x98\x80z\xC3(\xE2\x82";
  const auto lead = reward_of([&](const Draft& d) {
    EXPECT_EQ(d.text, scored_text(*model_, d.tokens));
    const std::size_t n = d.tokens.size();
    const auto wanted = static_cast<Token>(3 + static_cast<unsigned char>(bytes.at(n - 1)));
    return d.tokens.back() == wanted ? 1.0 : 0.0;
  });
  DecoderOptions options{.name = "args", .alpha = 1e-6, .top_k = model_->vocabulary()};
  options.choose = Choose::greedy;
  const Answer out = run(setup_of(policy_, options, lead, bytes.size()), prompt_);
  std::string written;
  for (const Step& step : out.steps) written += step.text;
  EXPECT_EQ(written, bytes);
  // Half a character at the end is left out, as it was when the text was scored.
  EXPECT_EQ(out.decoded.text, "a\xE4\xB8\xAD\xF0\x9F\x98\x80z\xEF\xBF\xBD(");
}

TEST_F(TokenValueTest, RollOutsThatStopInsideACharacterAreScoredWithoutIt) {
  const auto whole = reward_of([&](const Draft& d) {
    EXPECT_EQ(d.text, scored_text(*model_, d.tokens));
    return vowels(d);
  });
  const Policy odd(tiny_.load({.seed = 5, .temperature = 4.0}), Format::raw);  // many odd bytes
  run(setup_of(odd, {.name = "tq", .horizon = 4, .rollouts = 2}, whole), prompt_);
}

TEST_F(TokenValueTest, AStopRequestInterruptsAndTheWorkerGoesOn) {
  const auto setup = setup_of(policy_, {.name = "tq", .top_k = 4, .horizon = 3}, reward_);
  Worker worker(setup, testing::session_of());
  std::stop_source stop;
  std::size_t made = 0;
  testing::expect_error(ErrorKind::interrupted, {"interrupted"}, [&] {
    worker.generate(prompt_, stop.get_token(), [&](const Step&) {
      if (++made == 3) stop.request_stop();
    });
  });
  EXPECT_EQ(made, 3u);
  EXPECT_EQ(worker.generate(prompt_).decoded.tokens, run(setup, prompt_).decoded.tokens);
}

}  // namespace
}  // namespace tq
