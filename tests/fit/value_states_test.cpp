// From logged runs to rows: how files are read, and that the states are those of the texts.
#include "transferq/fit/value_states.hpp"

#include "tests/decode/decoding.hpp"
#include "transferq/eval/row.hpp"
#include "transferq/fit/value_data.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::expect_error;
using testing::Tokens;

// A reward that scores finished responses alone.
class FinishedOnly final : public Reward {
 public:
  const RewardInfo& info() const override { return info_; }
  std::unique_ptr<Scorer> open(const Prompt& prompt, SessionPool& sessions,
                               const Workload& work) const override {
    return any_->open(prompt, sessions, work);
  }

 private:
  const std::shared_ptr<const Reward> any_ =
      testing::reward_of([](const Draft& d) { return static_cast<double>(d.text.size()); });
  const RewardInfo info_{"whole", "whole", std::nullopt, {}, false};
};

class ValueStatesTest : public ::testing::Test {
 protected:
  // Rows as `tq generate --explain` writes them.
  std::filesystem::path logged(std::size_t prompts, DecoderOptions options = {}) {
    options.name = "tq";
    options.top_k = 6;
    options.horizon = 3;
    const tq::Setup setup = testing::setup_of(policy_, options, reward_, 8);
    std::ofstream file(path_);
    for (std::size_t i = 0; i < prompts; ++i) {
      const Prompt prompt = make_prompt(std::to_string(i), "Say " + std::to_string(i));
      answers_.push_back(testing::run(setup, prompt));
      file << make_row(prompt, answers_.back(), {"tq", 0, "s"}, answers_.back().steps).dump()
           << "\n";
    }
    return path_;
  }
  void refused(const std::string& text, const std::vector<std::string>& words) {
    std::ofstream(path_) << text;
    expect_error(ErrorKind::input, words, [&] { read_logged_runs(path_); });
  }

  testing::TinyModels tiny_;
  testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "log.jsonl";
  const Policy policy_{tiny_.load(), Format::chat};
  const std::shared_ptr<const Reward> reward_ = testing::head_on(policy_, folder_);
  std::vector<Answer> answers_;
};

TEST_F(ValueStatesTest, RunsAreReadAsTheyWereMade) {
  const std::vector<LoggedRun> runs = read_logged_runs(logged(3));
  ASSERT_EQ(runs.size(), 3u);
  for (std::size_t r = 0; r < runs.size(); ++r) {
    EXPECT_EQ(runs[r].tokens, answers_[r].decoded.tokens);
    ASSERT_EQ(runs[r].steps.size(), answers_[r].steps.size());
    for (std::size_t s = 0; s < runs[r].steps.size(); ++s) {
      const LoggedStep& step = runs[r].steps[s];
      EXPECT_EQ(step.at, s);
      ASSERT_EQ(step.candidates.size(), 6u);
      for (std::size_t i = 0; i < 6; ++i) {
        const CandidateView& view = answers_[r].steps[s].candidates[i];
        EXPECT_EQ(step.candidates[i], view.token);
        EXPECT_EQ(step.logprobs[i], view.logprob);
        EXPECT_EQ(step.values[i], view.value);
      }
    }
  }
}

TEST_F(ValueStatesTest, ValuesOfNoRollOutAreLeftOut) {
  DecoderOptions options;
  options.halvings = 1;
  const std::vector<LoggedRun> runs = read_logged_runs(logged(1, options));
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].steps.front().candidates.size(), 3u);  // the others were given up
  options.halvings = 0;
  options.last = 4;
  const auto late = read_logged_runs(logged(1, options));
  ASSERT_FALSE(late.empty());
  EXPECT_GE(late.back().steps.front().at, 4u);
}

TEST_F(ValueStatesTest, CommittedTokensAreOfTheTextAndNoSteps) {
  DecoderOptions options;
  options.commit = 3;
  const std::vector<LoggedRun> runs = read_logged_runs(logged(1, options));
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].tokens, answers_[0].decoded.tokens);
  ASSERT_GE(runs[0].steps.size(), 2u);
  EXPECT_EQ(runs[0].steps[1].at, 3u);
}

// Each row is the state, and the reward, of prompt, response so far and candidate, from nothing.
TEST_F(ValueStatesTest, StatesAreThoseOfTheTexts) {
  const std::vector<LoggedRun> runs = read_logged_runs(logged(2));
  for (const int threads : {1, 2}) {
    SessionOptions session = testing::session_of();
    session.threads = threads;
    const ValueRows rows = read_value_states(runs, policy_, *reward_, session);
    EXPECT_GT(rows.evaluations, 0u);
    std::size_t row = 0, step = 0;
    for (const LoggedRun& run : runs) {
      for (const LoggedStep& logged : run.steps) {
        EXPECT_EQ(rows.groups[step], run.prompt.messages.back().content);
        ASSERT_EQ(rows.first[step++], row);
        for (std::size_t i = 0; i < logged.candidates.size(); ++i) {
          const Token token = logged.candidates[i];
          if (policy_.model().is_end(token)) continue;
          Tokens tokens = policy_.encode(run.prompt);
          tokens.insert(tokens.end(), run.tokens.begin(),
                        run.tokens.begin() + static_cast<std::ptrdiff_t>(logged.at));
          tokens.push_back(token);
          const Output expected = testing::evaluate(policy_.model(), tokens);
          const auto state = rows.states.row(row);
          for (std::size_t j = 0; j < state.size(); ++j) {
            ASSERT_NEAR(state[j], expected.hidden[j], 1e-4);
          }
          EXPECT_EQ(rows.values[row], logged.values[i]);
          EXPECT_EQ(rows.logprobs[row], logged.logprobs[i]);
          const HeadFile head = testing::random_head(policy_.model());
          EXPECT_NEAR(rows.one_step[row], testing::head_value(head, policy_.model(), tokens), 1e-4);
          ++row;
        }
      }
    }
    EXPECT_EQ(row, rows.rows());
    EXPECT_EQ(step, rows.steps());
  }
}

TEST_F(ValueStatesTest, OfARewardForFinishedResponsesThereIsNoOneStepValue) {
  const auto runs = read_logged_runs(logged(1));
  const FinishedOnly whole;
  EXPECT_TRUE(read_value_states(runs, policy_, whole, testing::session_of()).one_step.empty());
}

TEST_F(ValueStatesTest, TellsWhatIsWrongWithARow) {
  refused("{\"prompt\": \"Hi\"\n", {"log.jsonl line 1", "no row of"});
  refused("{\"prompt\": \"Hi\", \"response\": \"a\"}\n", {"line 1", "no steps", "--explain"});
  refused("{\"prompt\": \"Hi\", \"decoder\": \"args\", \"steps\": []}\n", {"args", "tq or cd"});
  refused("\n{\"prompt\": \"Hi\", \"steps\": [{\"chosen\": 3}]}\n", {"line 2", "no row of"});
  refused(
      "{\"prompt\": \"Hi\", \"steps\": [{\"chosen\": 3, \"candidates\": [{\"token\": 3, "
      "\"block\": [3, 4], \"logprob\": -1, \"value\": 1}]}]}\n",
      {"blocks", "--block"});
  std::ofstream(path_) << "{\"prompt\": \"Hi\", \"steps\": [{\"chosen\": 99999999, \"candidates\": "
                          "[{\"token\": 3, \"logprob\": -1, \"value\": 1}, {\"token\": 4, "
                          "\"logprob\": -1, \"value\": 1}]}]}\n";
  const auto runs = read_logged_runs(path_);
  expect_error(ErrorKind::input, {"line 1", "tokens that", "--model"},
               [&] { read_value_states(runs, policy_, *reward_, testing::session_of()); });
}

TEST_F(ValueStatesTest, StepsThatWereNotValuedAreNone) {
  std::ofstream(path_) << "{\"prompt\": \"Hi\", \"steps\": [{\"chosen\": 5, \"candidates\": "
                          "[{\"token\": 5, \"logprob\": -1, \"value\": null}]}]}\n";
  EXPECT_TRUE(read_logged_runs(path_).empty());
}

}  // namespace
}  // namespace tq
