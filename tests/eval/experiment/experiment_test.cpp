// Experiments on a table: the rows, what fails, and that they do not depend on how they were made.
#include "transferq/eval/experiment/experiment.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/eval/experiment/tabular_experiment.hpp"
#include "transferq/eval/metrics/text_metrics.hpp"
#include "transferq/eval/row.hpp"

namespace tq {
namespace {

using nlohmann::json;
using testing::carry_out;
using testing::expect_error;
using testing::tabular_experiment;
using testing::tabular_prompts;

class ExperimentTest : public ::testing::Test {
 protected:
  std::string file(const std::string& name = "r.jsonl") const { return (folder_ / name).string(); }
  std::vector<json> lines(const std::string& name = "r.jsonl") const {
    std::vector<json> out;
    std::ifstream in(file(name));
    for (std::string line; std::getline(in, line);) out.push_back(json::parse(line));
    return out;
  }
  // Rows by id, each once; what a clock said taken out.
  std::map<std::string, json> rows(const std::string& name = "r.jsonl") const {
    std::map<std::string, json> out;
    for (json row : lines(name)) {
      row.erase("seconds");
      const auto id = row.at("id").get<std::string>();
      EXPECT_TRUE(out.emplace(id, std::move(row)).second) << id << " twice";
    }
    return out;
  }
  const testing::TemporaryFolder folder_;
};

TEST_F(ExperimentTest, IdsOfRows) {
  EXPECT_EQ(response_id("tq 0.3", 2, "p/1"), "tq 0.3/2/p/1");
  EXPECT_EQ(failure_id("a/0/p"), "error/a/0/p");
  EXPECT_EQ(judgement_id("a/0/p"), "judge/a/0/p");
  const auto experiment = tabular_experiment(tabular_prompts(3), {0, 9});
  std::multiset<std::string> ids;
  for (const ExpectedRow& row : expected_rows(experiment)) ids.insert(row.id);
  // The header; an answer and a failure each; a judgement of all runs but one.
  EXPECT_EQ(ids.size(), 1u + 4 * 2 * 3 * 2 + 3 * 2 * 3);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
  EXPECT_EQ(ids.count("judge/plain/0/p0"), 0u);
  EXPECT_EQ(ids.count("judge/greedy/9/p2"), 1u);
}

TEST_F(ExperimentTest, EveryRowIsWrittenOnceAndTheHeaderFirst) {
  const auto experiment = tabular_experiment(tabular_prompts(3), {0, 9});
  EXPECT_TRUE(carry_out(experiment, file()).empty());
  std::set<std::string> expected;
  for (const ExpectedRow& row : expected_rows(experiment)) {
    if (row.id.rfind("error/", 0) != 0) expected.insert(row.id);
  }
  std::set<std::string> found;
  for (const auto& [id, row] : rows()) {
    found.insert(id);
    EXPECT_EQ(row.at("settings"), "5e771265");
  }
  EXPECT_EQ(found, expected);
  const json header = lines().front();
  EXPECT_EQ(
      header,
      json({{"id", "#setup"}, {"settings", "5e771265"}, {"name", "a table"}, {"seeds", {0, 9}}}));
  const std::string start = R"({"id":"#setup","settings":"5e771265",)";
  EXPECT_EQ(testing::read_all(file()).substr(0, start.size()), start);
}

// A row is what the decoder gives, asked by itself.
TEST_F(ExperimentTest, AnswersAreTheDecoders) {
  const auto experiment = tabular_experiment(tabular_prompts(4), {0, 9});
  carry_out(experiment, file());
  const auto all = rows();
  for (const ExperimentRun& run : experiment.runs) {
    for (const std::uint64_t seed : experiment.seeds) {
      tq::Setup setup = run.setup;
      setup.seed = seed;
      for (const Prompt& prompt : experiment.prompts) {
        const json& row = all.at(response_id(run.name, seed, prompt.id));
        const auto alone = testing::run(setup, prompt);
        json expected = make_row(prompt, alone, {run.decoder, seed, experiment.settings}, {});
        for (const char* key : {"id", "seconds"}) expected.erase(key);
        for (const auto& [key, value] : expected.items()) EXPECT_EQ(row.at(key), value) << key;
        EXPECT_EQ(row.at("run"), run.name);
        EXPECT_EQ(row.at("prompt_id"), prompt.id);
        const json& metrics = row.at("metrics");
        EXPECT_EQ(metrics.at("words"), text_metrics(alone.decoded.text).words);
        EXPECT_TRUE(metrics.at("rep_2").is_null());  // of one word
        EXPECT_TRUE(metrics.at("diversity").is_null());
        EXPECT_FALSE(metrics.contains("coherence"));  // not measured
        EXPECT_EQ(metrics.at("rewards").size(), 1u);
        EXPECT_EQ(metrics.at("rewards").at("length"), alone.decoded.text.size());
        PerplexityMeter meter(run.setup.reference, testing::session_of());
        EXPECT_EQ(metrics.at("perplexity"), *meter.of(prompt, alone.decoded.tokens));
        EXPECT_EQ(row.at("changed").empty(),
                  std::none_of(alone.steps.begin(), alone.steps.end(), [](const Step& s) {
                    return !s.candidates.empty() && s.token != s.plain_choice && !s.text.empty();
                  }));
      }
    }
  }
}

TEST_F(ExperimentTest, JudgementsAreOfBothOrders) {
  const auto experiment = tabular_experiment(tabular_prompts(9), {0, 1, 2});
  carry_out(experiment, file());
  const auto all = rows();
  std::map<std::string, int> verdicts;
  for (const auto& [id, row] : all) {
    if (!row.contains("verdict")) continue;
    EXPECT_NE(row.at("run"), "plain");
    EXPECT_EQ(row.at("against"), "plain");
    EXPECT_EQ(row.at("judge"), "counting");
    const auto of = [&](const std::string& run) {
      const std::string answer = response_id(run, row.at("seed").get<std::uint64_t>(),
                                             row.at("prompt_id").get<std::string>());
      return all.at(answer).at("response").get<std::string>();
    };
    const std::string own = of(row.at("run").get<std::string>()), other = of("plain");
    const Judgement right =
        judge_both(*experiment.judge->open(testing::session_of()), make_prompt("", ""), own, other);
    EXPECT_EQ(row.at("first"), outcome_name(right.first)) << own << " " << other;
    EXPECT_EQ(row.at("second"), outcome_name(right.second));
    EXPECT_EQ(row.at("verdict"), outcome_name(right.verdict()));
    ++verdicts[row.at("verdict").get<std::string>()];
  }
  for (const char* verdict : {"win", "tie", "lose", "none"}) EXPECT_GT(verdicts[verdict], 0);
}

TEST_F(ExperimentTest, SeedsGiveOtherDrawsAndOneSeedTheSame) {
  auto experiment = tabular_experiment(tabular_prompts(9), {0, 1, 2});
  carry_out(experiment, file());
  const auto all = rows();
  const auto answers = [&](const std::string& run, std::uint64_t seed) {
    std::string out;
    for (const Prompt& prompt : experiment.prompts) {
      out += all.at(response_id(run, seed, prompt.id)).at("response").get<std::string>() + "|";
    }
    return out;
  };
  for (const std::string run : {"plain", "tq 0.3", "best of 4"}) {
    EXPECT_NE(answers(run, 0), answers(run, 1)) << run;
    EXPECT_NE(answers(run, 1), answers(run, 2)) << run;
  }
  EXPECT_EQ(answers("greedy", 0), answers("greedy", 1));
  // One seed alone gives the rows that it gives among others; the setup's own seed is not used.
  experiment.seeds = {1};
  for (ExperimentRun& run : experiment.runs) run.setup.seed = 99;
  carry_out(experiment, file("one.jsonl"));
  for (const auto& [id, row] : rows("one.jsonl")) {
    if (id == kHeaderId) continue;
    EXPECT_EQ(row, all.at(id));
  }
}

TEST_F(ExperimentTest, RowsDoNotDependOnWorkers) {
  const auto experiment = tabular_experiment(tabular_prompts(8), {0, 1, 2});
  for (const std::size_t workers : {1u, 2u, 4u}) {
    carry_out(experiment, file(std::to_string(workers)), workers);
    EXPECT_EQ(rows(std::to_string(workers)), rows("1"));
  }
}

// Nor on the prompts beside them: shards together have the rows of the whole.
TEST_F(ExperimentTest, RowsDoNotDependOnOtherPrompts) {
  auto experiment = tabular_experiment(tabular_prompts(8), {0, 1});
  carry_out(experiment, file("whole"));
  const auto prompts = experiment.prompts;
  std::map<std::string, json> parts;
  for (std::size_t i = 0; i < 3; ++i) {
    experiment.prompts.clear();
    for (std::size_t k = i; k < prompts.size(); k += 3) experiment.prompts.push_back(prompts[k]);
    carry_out(experiment, file(std::to_string(i)));
    parts.merge(rows(std::to_string(i)));
  }
  EXPECT_EQ(parts, rows("whole"));
}

TEST_F(ExperimentTest, GoesOnFromWhatIsThere) {
  const auto experiment = tabular_experiment(tabular_prompts(4), {0, 1});
  carry_out(experiment, file("whole"));
  const std::string whole = testing::read_all(file("whole"));
  EXPECT_TRUE(carry_out(experiment, file("whole"), 2).empty());
  EXPECT_EQ(testing::read_all(file("whole")), whole);  // nothing is added
  // From every place at which a kill can leave the file, in steps of a prime.
  for (std::size_t size = 0; size < whole.size(); size += 1999) {
    std::ofstream(file("cut"), std::ios::binary | std::ios::trunc) << whole.substr(0, size);
    ResultsFile results(file("cut"), experiment.settings, expected_rows(experiment));
    write_header(experiment, results, {{"name", "a table"}, {"seeds", experiment.seeds}});
    const Extent extent = extent_of(experiment, results);
    EXPECT_EQ(extent.all, 4u * 2 * 4 + 3 * 2 * 4);
    std::size_t done = 0;
    const ExperimentOptions options{
        .session = testing::session_of(), .workers = 1, .done = [&] { ++done; }};
    answer_all(experiment, results, options);
    judge_all(experiment, results, options);
    EXPECT_EQ(done, extent.left);
    EXPECT_EQ(extent_of(experiment, results).left, 0u);
    ASSERT_EQ(rows("cut"), rows("whole")) << size;
  }
}

TEST_F(ExperimentTest, RowsOfOtherSettingsOrPromptsAreRefused) {
  auto experiment = tabular_experiment(tabular_prompts(2), {0});
  carry_out(experiment, file());
  const std::string before = testing::read_all(file());
  auto other = experiment;
  other.settings = "0123";
  expect_error(ErrorKind::input, {"other settings"}, [&] { carry_out(other, file()); });
  experiment.prompts[1].messages[0].content = "22";
  expect_error(ErrorKind::input, {"another prompt", "plain/0/p1"},
               [&] { carry_out(experiment, file()); });
  EXPECT_EQ(testing::read_all(file()), before);
}

// Prompt "x" is no text of the table.
TEST_F(ExperimentTest, APromptAtFaultIsARowAndTheOthersGoOn) {
  auto experiment = tabular_experiment(tabular_prompts(3), {0, 1});
  const std::string good = experiment.prompts[1].messages[0].content;
  experiment.prompts[1].messages[0].content = "x";
  const auto failures = carry_out(experiment, file(), 2);
  EXPECT_EQ(failures.size(), 4u * 2);
  for (const Failure& failure : failures) {
    EXPECT_TRUE(failure.id.ends_with("/p1")) << failure.id;
    EXPECT_NE(failure.reason.find("prompt 'p1'"), std::string::npos) << failure.reason;
    EXPECT_NE(failure.reason.find("run '"), std::string::npos) << failure.reason;
  }
  const auto once = rows();
  // Header, failures, answers of two prompts, judgements of those.
  EXPECT_EQ(once.size(), 1u + 8 + 4 * 2 * 2 + 3 * 2 * 2);
  const json& row = once.at("error/tq 0.3/1/p1");
  EXPECT_EQ(row.at("run"), "tq 0.3");
  EXPECT_EQ(row.at("prompt_id"), "p1");
  EXPECT_EQ(row.at("seed"), 1);
  EXPECT_FALSE(row.at("error").get<std::string>().empty());
  EXPECT_FALSE(row.contains("response"));
  EXPECT_EQ(once.count("judge/tq 0.3/1/p1"), 0u);

  // Tried again: the same failures, no further row.
  const std::string before = testing::read_all(file());
  EXPECT_EQ(carry_out(experiment, file()).size(), 8u);
  EXPECT_EQ(testing::read_all(file()), before);
  // And once it can be answered it is, and judged.
  experiment.prompts[1].messages[0].content = good;
  EXPECT_TRUE(carry_out(experiment, file()).empty());
  const auto all = rows();
  EXPECT_EQ(all.size(), once.size() + 8 + 6);
  EXPECT_EQ(all.count("tq 0.3/1/p1"), 1u);
  EXPECT_EQ(all.count("judge/tq 0.3/1/p1"), 1u);
}

// All that was left is told to be done, also where a failure leaves nothing to judge: of a run's
// own answers, and of those that all others are judged against.
TEST_F(ExperimentTest, ProgressReachesItsEndInSpiteOfFailures) {
  for (const std::size_t broken : {0u, 1u}) {
    auto experiment = tabular_experiment(tabular_prompts(4), {0, 1});
    experiment.runs[broken].setup.reward = testing::reward_of(
        [](const Draft&) -> double { throw Error(ErrorKind::input, "no score"); });
    ResultsFile results(file(std::to_string(broken)), experiment.settings,
                        expected_rows(experiment));
    for (int attempt = 0; attempt < 2; ++attempt) {
      const Extent extent = extent_of(experiment, results);
      std::size_t done = 0;
      const ExperimentOptions options{
          .session = testing::session_of(), .workers = 1, .done = [&] { ++done; }};
      EXPECT_EQ(answer_all(experiment, results, options).size(), 4u * 2);
      EXPECT_TRUE(judge_all(experiment, results, options).empty());
      EXPECT_GT(extent.left, 4u * 2);
      EXPECT_EQ(done, extent.left);
    }
  }
}

TEST_F(ExperimentTest, AnyOtherErrorStopsAll) {
  for (const ErrorKind kind : {ErrorKind::io, ErrorKind::model, ErrorKind::usage}) {
    auto experiment = tabular_experiment(tabular_prompts(12), {0});
    std::size_t calls = 0;
    experiment.measures.rewards["broken"] = testing::reward_of([&, kind](const Draft&) -> double {
      if (++calls == 10) throw Error(kind, "the server is gone");
      return 1;
    });
    const std::string name = std::to_string(static_cast<int>(kind));
    expect_error(kind, {"run 'plain'", "prompt 'p9'", "the server is gone"},
                 [&] { carry_out(experiment, file(name)); });
    EXPECT_EQ(rows(name).size(), 1u + 9);  // what was finished is kept
    EXPECT_TRUE(carry_out(experiment, file(name)).empty());
    EXPECT_EQ(rows(name).size(), 1u + 12 * 4 + 12 * 3);
  }
}

// A judge that fails for some pairs.
class FailingJudge final : public PairJudge {
 public:
  explicit FailingJudge(ErrorKind kind) : kind_(kind) {}
  const std::string& name() const override { return name_; }
  const std::string& fingerprint() const override { return name_; }
  std::unique_ptr<JudgeSession> open(const SessionOptions&) const override {
    return std::make_unique<Failing>(kind_);
  }

 private:
  class Failing final : public JudgeSession {
   public:
    explicit Failing(ErrorKind kind) : kind_(kind) {}
    Preference ask(const Prompt& prompt, const std::string&, const std::string&,
                   std::stop_token) override {
      if (prompt.id == "p1") throw Error(kind_, "no room for the answers");
      return Preference::tie;
    }
    std::uint64_t evaluations() const override { return 0; }

   private:
    ErrorKind kind_;
  };
  ErrorKind kind_;
  std::string name_ = "counting";
};

TEST_F(ExperimentTest, PairsThatCannotBeJudgedAreTriedAgain) {
  auto experiment = tabular_experiment(tabular_prompts(3), {0});
  const auto good = experiment.judge;
  experiment.judge = std::make_shared<FailingJudge>(ErrorKind::input);
  const auto failures = carry_out(experiment, file());
  EXPECT_EQ(failures.size(), 3u);
  for (const Failure& failure : failures) {
    EXPECT_TRUE(failure.id.starts_with("judge/") && failure.id.ends_with("/p1")) << failure.id;
    EXPECT_NE(failure.reason.find("no room"), std::string::npos);
  }
  EXPECT_EQ(rows().size(), 1u + 4 * 3 + 3 * 2);
  experiment.judge = good;
  EXPECT_TRUE(carry_out(experiment, file()).empty());
  EXPECT_EQ(rows().size(), 1u + 4 * 3 + 3 * 3);
}

TEST_F(ExperimentTest, AJudgeThatIsGoneStopsAllAndKeepsTheRows) {
  auto experiment = tabular_experiment(tabular_prompts(3), {0});
  const auto good = experiment.judge;
  experiment.judge = std::make_shared<FailingJudge>(ErrorKind::io);
  expect_error(ErrorKind::io, {"judging run 'tq 0.3'", "prompt 'p1'", "no room"},
               [&] { carry_out(experiment, file()); });
  EXPECT_EQ(rows().size(), 1u + 4 * 3 + 1);
  experiment.judge = good;
  carry_out(experiment, file());
  EXPECT_EQ(rows().size(), 1u + 4 * 3 + 3 * 3);
}

TEST_F(ExperimentTest, StopsAfterTheRowAtHandWhenAsked) {
  const auto experiment = tabular_experiment(tabular_prompts(6), {0});
  ResultsFile results(file(), experiment.settings, expected_rows(experiment));
  std::stop_source stop;
  std::size_t done = 0;
  const ExperimentOptions options{.session = testing::session_of(), .workers = 1, .done = [&] {
                                    if (++done == 5) stop.request_stop();
                                  }};
  EXPECT_TRUE(answer_all(experiment, results, options, stop.get_token()).empty());
  EXPECT_TRUE(judge_all(experiment, results, options, stop.get_token()).empty());
  EXPECT_EQ(rows().size(), 5u);
}

// Fingerprints of what is measured.
TEST_F(ExperimentTest, MeasuresTellWhatTheyAre) {
  std::set<std::string> seen;
  Measures measures;
  seen.insert(measures.fingerprint());
  const auto reward = testing::reward_of([](const Draft&) { return 1.0; });
  measures.rewards["a"] = reward;
  seen.insert(measures.fingerprint());
  measures.rewards["b"] = reward;
  seen.insert(measures.fingerprint());
  measures.perplexity = Policy(testing::random_table(4, 2, 1), Format::raw);
  seen.insert(measures.fingerprint());
  measures.perplexity = Policy(testing::random_table(4, 2, 2), Format::raw);
  seen.insert(measures.fingerprint());
  EXPECT_EQ(seen.size(), 5u);
}

}  // namespace
}  // namespace tq
