// An experiment on a table: three runs (tq, best-of, greedy) of a small random policy, unseen
// rewards, perplexity and a judge, exact to the bit. What the tests of experiments share, and the
// program that is killed.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/decode/decoding.hpp"
#include "transferq/eval/experiment/answering.hpp"
#include "transferq/eval/experiment/judging.hpp"

namespace tq::testing {

// Prefers the answer with more of the digit 0; whoever stands first where they have as many of a
// digit 1, too. Answers without a digit 2 in either can't be read.
class CountingJudge final : public PairJudge {
 public:
  const std::string& name() const override { return name_; }
  const std::string& fingerprint() const override { return name_; }
  std::unique_ptr<JudgeSession> open(const SessionOptions&) const override {
    return std::make_unique<Counting>();
  }

 private:
  class Counting final : public JudgeSession {
   public:
    Preference ask(const Prompt&, const std::string& first, const std::string& second,
                   std::stop_token) override {
      if (count(first, '2') + count(second, '2') == 0) return Preference::none;
      const auto a = count(first, '0'), b = count(second, '0');
      if (a != b) return a > b ? Preference::first : Preference::second;
      return count(first, '1') == count(second, '1') ? Preference::first : Preference::tie;
    }
    std::uint64_t evaluations() const override { return 0; }

   private:
    static std::ptrdiff_t count(const std::string& text, char digit) {
      return std::count(text.begin(), text.end(), digit);
    }
  };
  std::string name_ = "counting";
};

inline std::vector<Prompt> tabular_prompts(std::size_t count) {
  std::vector<Prompt> prompts;
  for (std::size_t i = 0; i < count; ++i) {
    std::string text;
    for (std::size_t rest = i % 9, k = 0; k < 2; ++k, rest /= 3) text += std::to_string(rest % 3);
    prompts.push_back(make_prompt(fmt::format("p{}", i), text));
  }
  return prompts;
}

// Answers of up to `max_tokens`; beyond a table's depth every token is as likely.
inline Experiment tabular_experiment(std::vector<Prompt> prompts, std::vector<std::uint64_t> seeds,
                                     std::size_t max_tokens = 5) {
  const Policy policy(random_table(4, 2 + max_tokens, 3, Token{3}), Format::raw);
  const auto ones = reward_of([](const Draft& draft) {
    return 0.1 + static_cast<double>(std::count(draft.text.begin(), draft.text.end(), '1'));
  });
  Experiment out;
  out.settings = "5e771265";
  out.prompts = std::move(prompts);
  out.seeds = std::move(seeds);
  const auto add = [&](const std::string& name, const DecoderOptions& options) {
    out.runs.push_back(
        {name, options.name, setup_of(policy, options, ones, max_tokens), session_of()});
  };
  add("plain", {.name = "sample"});
  add("tq 0.3", {.name = "tq", .alpha = 0.3, .top_k = 3, .horizon = 2});
  add("best of 4", {.name = "best-of", .samples = 4});
  add("greedy", {.name = "greedy"});
  out.measures.rewards["length"] =
      reward_of([](const Draft& draft) { return static_cast<double>(draft.text.size()); });
  out.measures.perplexity = policy;
  out.judge = std::make_shared<CountingJudge>();
  out.against = "plain";
  return out;
}

// Carries out what is left, from the file on.
inline std::vector<Failure> carry_out(const Experiment& experiment, const std::string& path,
                                      std::size_t workers = 1) {
  ResultsFile results(path, experiment.settings, expected_rows(experiment));
  write_header(experiment, results, {{"name", "a table"}, {"seeds", experiment.seeds}});
  const ExperimentOptions options{.session = session_of(), .workers = workers};
  std::vector<Failure> failures = answer_all(experiment, results, options);
  const std::vector<Failure> more = judge_all(experiment, results, options);
  failures.insert(failures.end(), more.begin(), more.end());
  return failures;
}

}  // namespace tq::testing
