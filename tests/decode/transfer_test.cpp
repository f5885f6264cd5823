// Indirect and soft transfer through the token loop and the worker: who scores what, what is
// counted, and that no number is too large.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "tests/decode/decoding.hpp"
#include "transferq/reward/implicit.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::head_on;
using testing::reward_of;
using testing::run;
using testing::setup_of;

constexpr std::array kWeighing{Transfer::indirect, Transfer::soft};

DecoderOptions options(Transfer transfer, double beta = 0.5) {
  return {.name = "tq",
          .alpha = 0.5,
          .top_k = 4,
          .horizon = 3,
          .rollouts = 4,
          .transfer = transfer,
          .beta = beta};
}

// A reward whose scorer says that it reads no policy's hidden state, and is handed none.
class Unread final : public Reward {
 public:
  explicit Unread(std::shared_ptr<const Reward> inner) : inner_(std::move(inner)) {}
  const RewardInfo& info() const override { return inner_->info(); }
  std::unique_ptr<Scorer> open(const Prompt& prompt, SessionPool& sessions,
                               const Workload& work) const override {
    return std::make_unique<UnreadScorer>(inner_->open(prompt, sessions, work));
  }

 private:
  class UnreadScorer final : public Scorer {
   public:
    explicit UnreadScorer(std::unique_ptr<Scorer> inner) : inner_(std::move(inner)) {}
    std::vector<ModelCost> costs() const override { return inner_->costs(); }

   private:
    std::vector<double> compute(std::span<const Draft> drafts) override {
      for (const Draft& draft : drafts) EXPECT_TRUE(draft.trail.empty());
      return inner_->score(drafts);
    }
    std::unique_ptr<Scorer> inner_;
  };
  std::shared_ptr<const Reward> inner_;
};

class TransferTest : public ::testing::Test {
 protected:
  testing::TinyModels tiny_;
  const testing::TemporaryFolder folder_, other_folder_;
  const Policy table_{testing::random_table(4, 7, 3, Token{3}), Format::raw};
  const Policy aligned_{testing::random_table(4, 7, 5, Token{3}), Format::raw};
  const Prompt prompt_ = make_prompt("p", "01");
};

TEST_F(TransferTest, EitherRewardReadsTheRollOutsStatesOrItsOwn) {
  using Shared = std::shared_ptr<const Reward>;
  const Shared target = head_on(table_, folder_);
  const Shared other = head_on(table_, other_folder_, "response");
  for (const Transfer transfer : kWeighing) {
    std::vector<Answer> answers;
    for (const Shared& reward : {target, Shared(new Unread(target))}) {
      for (const Shared& base : {other, Shared(new Unread(other))}) {
        tq::Setup setup = setup_of(table_, options(transfer), reward, 6);
        setup.baseline_reward = base;
        answers.push_back(run(setup, prompt_));
      }
    }
    for (const Answer& answer : answers) {
      ASSERT_EQ(answer.decoded.tokens, answers.front().decoded.tokens);
      for (std::size_t t = 0; t < answer.steps.size(); ++t) {
        for (std::size_t i = 0; i < answer.steps[t].candidates.size(); ++i) {
          EXPECT_NEAR(answer.steps[t].candidates[i].value,
                      answers.front().steps[t].candidates[i].value, 1e-6);
        }
      }
    }
  }
}

TEST_F(TransferTest, TwoHeadsOnThePolicysOwnSessionCostNothing) {
  const Policy endless(testing::endless(12), Format::raw);
  const auto reward = head_on(endless, folder_);
  tq::Setup setup = setup_of(endless, options(Transfer::indirect), reward, 5);
  const Answer alone = run(setup, make_prompt("a", "1.2."));
  setup.baseline_reward = reward;
  const Answer both = run(setup, make_prompt("a", "1.2."));
  EXPECT_EQ(both.evaluations.policy, alone.evaluations.policy);
  EXPECT_EQ(both.evaluations.reward, 0u);
  EXPECT_EQ(both.evaluations.prompt, both.prompt_tokens);
}

TEST_F(TransferTest, TheBaselinesRewardIsCountedModelByModel) {
  const Policy reference(testing::endless(12), Format::raw);
  const Policy judge(testing::random_table(12, 0), Format::raw);
  const Policy second(testing::random_table(12, 0, 9), Format::raw);
  const auto reward = head_on(judge, folder_), base = head_on(second, other_folder_);
  tq::Setup setup = setup_of(reference, options(Transfer::soft), reward, 5);
  const Answer alone = run(setup, make_prompt("a", "1.2."));
  setup.baseline_reward = base;
  const Answer both = run(setup, make_prompt("a", "1.2."));
  EXPECT_GT(alone.evaluations.reward, 0u);
  EXPECT_GT(both.evaluations.reward, alone.evaluations.reward);
  EXPECT_EQ(both.evaluations.prompt, 3 * both.prompt_tokens);
  std::uint64_t sum = 0;
  for (const auto& [model, count] : both.evaluations.reward_models) sum += count;
  EXPECT_EQ(sum, both.evaluations.reward);
}

TEST_F(TransferTest, ADirectDecoderNeverReadsTheBaselinesReward) {
  const auto reward = reward_of([](const Draft& d) { return double(d.tokens.size()); });
  tq::Setup setup = setup_of(table_, options(Transfer::direct), reward, 5);
  setup.baseline_reward = reward_of([](const Draft&) -> double {
    ADD_FAILURE() << "scored";
    return 0;
  });
  EXPECT_FALSE(run(setup, prompt_).decoded.tokens.empty());
}

TEST_F(TransferTest, AConstantAddedToEitherRewardChangesNothing) {
  const auto first = [](const Draft& d) { return double(d.text.size() % 3); };
  const auto second = [](const Draft& d) { return double(d.text.size() % 2); };
  for (const Transfer transfer : kWeighing) {
    tq::Setup setup = setup_of(table_, options(transfer), reward_of(first), 6, aligned_);
    setup.baseline_reward = reward_of(second);
    const Answer before = run(setup, prompt_);
    setup.reward = reward_of([&](const Draft& d) { return first(d) + 64; });
    setup.baseline_reward = reward_of([&](const Draft& d) { return second(d) - 32; });
    const Answer after = run(setup, prompt_);
    ASSERT_EQ(after.decoded.tokens, before.decoded.tokens);
    for (std::size_t t = 0; t < before.steps.size(); ++t) {
      for (std::size_t i = 0; i < before.steps[t].candidates.size(); ++i) {
        EXPECT_NEAR(after.steps[t].candidates[i].probability,
                    before.steps[t].candidates[i].probability, 1e-10);
      }
    }
  }
}

TEST_F(TransferTest, LongRunsOfExtremeNumbersKeepSense) {
  // Rewards of +-1e4, log-weights down to -1e10, and no alpha or beta is too small.
  const auto far = [](const Draft& d) {
    const auto n = std::count(d.text.begin(), d.text.end(), '1');
    return n % 2 == 0 ? 1e4 : -1e4;
  };
  for (const Transfer transfer : {Transfer::direct, Transfer::indirect, Transfer::soft}) {
    for (const double small : {1e-6, 5e-324}) {
      DecoderOptions o = options(transfer, small);
      o.alpha = small;
      tq::Setup setup = setup_of(aligned_, o, reward_of(far), 40, aligned_);
      setup.baseline_reward =
          make_implicit(aligned_, Policy(table_.shared_model(), Format::raw), 1e3, true);
      for (int i = 0; i < 5; ++i) {
        const Answer out = run(setup, make_prompt(std::to_string(i), "0"));
        EXPECT_TRUE(std::isfinite(out.decoded.kl_to_reference));
        for (const Step& step : out.steps) {
          double sum = 0;
          for (const CandidateView& c : step.candidates) {
            EXPECT_TRUE(std::isfinite(c.value));
            sum += c.probability;
          }
          EXPECT_NEAR(sum, 1, 1e-12);
        }
      }
    }
  }
}

TEST_F(TransferTest, StepsSayHowManyRollOutsCount) {
  const auto reward = reward_of([](const Draft& d) { return double(d.text.size() % 2); });
  for (const Transfer transfer : kWeighing) {
    tq::Setup setup =
        setup_of(Policy(testing::endless(12), Format::raw), options(transfer), reward, 5);
    const Answer out = run(setup, make_prompt("a", "1.2."));
    ASSERT_EQ(out.steps.size(), 5u);
    double mean = 0, least = 1e9;
    for (std::size_t t = 0; t < 4; ++t) {
      ASSERT_TRUE(out.steps[t].effective.has_value()) << t;
      const EffectiveSamples& e = *out.steps[t].effective;
      EXPECT_EQ(e.rollouts, 4);
      EXPECT_GE(e.min, 1 - 1e-12);
      EXPECT_LE(e.min, e.mean);
      EXPECT_LE(e.mean, 4 + 1e-12);
      mean += e.mean / 4;
      least = std::min(least, e.min);
    }
    EXPECT_FALSE(out.steps[4].effective.has_value()) << "the last token has no room to roll out";
    ASSERT_TRUE(out.decoded.effective.has_value());
    EXPECT_NEAR(out.decoded.effective->mean, mean, 1e-12);
    EXPECT_EQ(out.decoded.effective->min, least);
  }
  const Answer direct = run(setup_of(table_, options(Transfer::direct), reward, 5), prompt_);
  EXPECT_FALSE(direct.decoded.effective.has_value());
}

// Two policies and a reward of two likelihoods on one model, all in one session.
TEST_F(TransferTest, TheImplicitRewardSharesTheSessionOfThePolicies) {
  const Policy reference(tiny_.load({.seed = 3}), Format::chat);
  const Policy baseline(reference.shared_model(), Format::chat, {}, "Be kind to the bad");
  const auto reward = head_on(reference, folder_);
  for (const Transfer transfer : kWeighing) {
    tq::Setup setup = setup_of(reference, options(transfer), reward, 6, baseline);
    const Answer without = run(setup, make_prompt("p", "The good"));
    setup.baseline_reward = make_implicit(baseline, reference, 0.5, true);
    const Answer one = run(setup, make_prompt("p", "The good"));
    EXPECT_GT(one.evaluations.reward, without.evaluations.reward);
    // The same in a session of few branches, where all take turns.
    const Answer turns = run(setup, make_prompt("p", "The good"), testing::session_of(0, 2));
    EXPECT_EQ(turns.decoded.tokens, one.decoded.tokens);
    EXPECT_NEAR(*turns.decoded.reward, *one.decoded.reward, 1e-3);
  }
}

// Wherever what works in a session can't fit, it is told before a token is made.
TEST_F(TransferTest, AContextTooSmallForTheImplicitRewardIsRefusedAtOnce) {
  const Policy reference(tiny_.load({.seed = 3}), Format::chat);
  const Policy prompted(reference.shared_model(), Format::chat, {}, "Be kind");
  const Policy trained(tiny_.load({.seed = 4}), Format::chat);
  for (const Policy& baseline : {prompted, trained}) {
    tq::Setup setup =
        setup_of(reference, options(Transfer::indirect),
                 reward_of([](const Draft& d) { return double(d.text.size() % 3); }), 6, baseline);
    setup.baseline_reward = make_implicit(baseline, reference, 0.5, true);
    std::size_t told = 0, done = 0;
    for (std::size_t cells = 20; cells < 900; cells += cells < 160 ? 6 : 60) {
      std::size_t made = 0;
      Worker worker(setup, testing::session_of(cells));
      try {
        worker.generate(make_prompt("a", "The good"), {}, [&](const Step&) { ++made; });
        ++done;
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::input) << cells << ": " << e.what();
        EXPECT_EQ(made, 0u) << cells;
        ++told;
      }
    }
    EXPECT_GT(told, 0u);
    EXPECT_GT(done, 3u);
  }
}

}  // namespace
}  // namespace tq
