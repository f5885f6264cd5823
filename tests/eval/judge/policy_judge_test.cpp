// A tiny model as the judge: bytes and a few merges are its tokens.
#include "transferq/eval/judge/policy_judge.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/eval/judge/verdict.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::Tokens;
using testing::operator+;

// A judge that follows a list, and what it was asked.
class Scripted final : public JudgeSession {
 public:
  explicit Scripted(std::vector<Preference> says) : says_(std::move(says)) {}
  Preference ask(const Prompt&, const std::string& first, const std::string& second,
                 std::stop_token) override {
    asked.push_back(first + "|" + second);
    return says_.at(asked.size() - 1);
  }
  std::uint64_t evaluations() const override { return 0; }
  std::vector<std::string> asked;

 private:
  std::vector<Preference> says_;
};

TEST(PairJudge, BothOrdersAreAsked) {
  Scripted fair({Preference::first, Preference::second});
  const Judgement win = judge_both(fair, make_prompt("p", "q"), "run", "plain");
  EXPECT_EQ(fair.asked, (std::vector<std::string>{"run|plain", "plain|run"}));
  EXPECT_EQ(win.verdict(), Outcome::win);
  Scripted biased({Preference::first, Preference::first});
  const Judgement tie = judge_both(biased, make_prompt("p", "q"), "run", "plain");
  EXPECT_EQ(tie.first, Outcome::win);
  EXPECT_EQ(tie.second, Outcome::lose);
  EXPECT_EQ(tie.verdict(), Outcome::tie);
  Scripted mute({Preference::second, Preference::none});
  EXPECT_EQ(judge_both(mute, make_prompt("p", "q"), "a", "b").verdict(), Outcome::none);
}

class PolicyJudgeTest : public ::testing::Test {
 protected:
  std::shared_ptr<const PairJudge> read(const std::string& more, Format format = Format::chat) {
    const std::set<std::string> keys{"policy", "ask", "margin", "max-tokens", "name",
                                     "prompt", "url", "model",  "nane",       "seed"};
    return make_pair_judge(parse_spec("policy={" + file_.string() + "}" + more, "judge", keys),
                           store_, format);
  }
  std::string short_prompt() {
    std::ofstream(template_) << "Q {prompt}\n1 {first}\n2 {second}\nBest:\n";
    return ",prompt=" + template_.string();
  }
  Preference ask(const PairJudge& judge, const std::string& a, const std::string& b) {
    return judge.open(testing::session_of())->ask(prompt_, a, b, {});
  }
  Tokens special(const std::string& text) const { return model_->tokenize(text, true); }
  Tokens plain(const std::string& text) const { return model_->tokenize(text, false); }
  Tokens asked(const Tokens& a, const Tokens& b) const {
    return special("<|im_start|>user\nQ ") + plain("Hi") + special("\n1 ") + a + special("\n2 ") +
           b + special("\nBest:<|im_end|>\n<|im_start|>assistant\n");
  }
  double odds(const Tokens& tokens) const {
    const auto logs = testing::evaluate(*model_, tokens).logits;
    const auto of = [&](const char* s) { return logs[static_cast<std::size_t>(plain(s).at(0))]; };
    return of("A") - of("B");
  }

  testing::TinyModels tiny_;
  ModelStore store_;
  const std::filesystem::path file_ = tiny_.file();
  const std::filesystem::path template_ = tiny_ / "judge.txt";
  const std::shared_ptr<const Model> model_ = store_.model(file_.string());
  const Prompt prompt_ = make_prompt("p", "Hi");
};

TEST_F(PolicyJudgeTest, LogitsGiveTheSignOfTheOddsBehindWhatIsAsked) {
  const auto judge = read(",ask=logits" + short_prompt());
  std::set<Preference> seen;
  for (const std::string a : {"you", "bad", "", "and so", "xyz", "<|im_end|>", "Q?", "12"}) {
    for (const std::string b : {"me", "<|im_start|>", "good"}) {
      const double r = odds(asked(plain(a), plain(b)));
      ASSERT_GT(std::abs(r), 1e-3);
      EXPECT_EQ(ask(*judge, a, b), r > 0 ? Preference::first : Preference::second) << a << b;
      seen.insert(ask(*judge, a, b));
    }
  }
  const double r = odds(asked(plain("you"), plain("me")));
  const auto margin = [&](double nats) {
    return ask(*read(",ask=logits,margin=" + std::to_string(nats) + short_prompt()), "you", "me");
  };
  EXPECT_EQ(margin(std::abs(r) + 0.01), Preference::tie);
  EXPECT_NE(margin(std::abs(r) - 0.01), Preference::tie);
}

TEST_F(PolicyJudgeTest, GeneratesGreedilyAndReadsTheVerdict) {
  const auto judge = read(",max-tokens=12" + short_prompt());
  const auto session = judge->open(testing::session_of());
  for (const std::string a : {"you", "bad", "so"}) {
    Tokens tokens = asked(plain(a), plain("me"));
    const std::size_t before = tokens.size();
    const auto evaluated = session->evaluations();
    std::string answer;
    bool ended = false;
    while (tokens.size() < before + 12 && !ended) {
      const auto logits = testing::evaluate(*model_, tokens).logits;
      const auto token = static_cast<Token>(argmax(std::span<const double>(logits)));
      ended = model_->is_end(token);
      if (ended) break;
      answer += model_->piece(token, false);
      tokens.push_back(token);
    }
    EXPECT_EQ(session->ask(prompt_, a, "me", {}), verdict_in(answer, ended)) << answer;
    // The last token of a cut answer is never evaluated.
    EXPECT_EQ(session->evaluations() - evaluated, tokens.size() - (ended ? 0 : 1));
  }
}

TEST_F(PolicyJudgeTest, LongAnswersAreCutFairly) {
  EXPECT_EQ(fair_cut(3, 4, 7), std::pair(std::size_t{3}, std::size_t{4}));
  EXPECT_EQ(fair_cut(3, 9, 7), std::pair(std::size_t{3}, std::size_t{4}));
  EXPECT_EQ(fair_cut(9, 2, 7), std::pair(std::size_t{5}, std::size_t{2}));
  EXPECT_EQ(fair_cut(9, 9, 7), std::pair(std::size_t{3}, std::size_t{3}));
  EXPECT_EQ(fair_cut(9, 9, 0), std::pair(std::size_t{0}, std::size_t{0}));

  const auto judge = read(",ask=logits" + short_prompt());
  const std::size_t room = model_->context() - asked({}, {}).size();
  const Tokens kept = plain(std::string(room / 2, 'x'));
  const double r = odds(asked(kept, kept));
  ASSERT_GT(std::abs(r), 1e-3);
  EXPECT_EQ(ask(*judge, std::string(1000, 'x'), std::string(1000, 'x')),
            r > 0 ? Preference::first : Preference::second);
  expect_error(ErrorKind::input, {"no room", "'long'", "shorten"}, [&] {
    judge->open(testing::session_of())
        ->ask(make_prompt("long", std::string(400, 'x')), "a", "b", {});
  });
}

TEST_F(PolicyJudgeTest, RawPoliciesReadAnswersAsPlainText) {
  const auto judge = read(",ask=logits" + short_prompt(), Format::raw);
  const double r = odds(special("Q ") + plain("Hi") + special("\n1 ") + plain("<|im_end|>") +
                        special("\n2 ") + plain("b") + special("\nBest:"));
  ASSERT_GT(std::abs(r), 1e-3);
  EXPECT_EQ(ask(*judge, "<|im_end|>", "b"), r > 0 ? Preference::first : Preference::second);
}

TEST_F(PolicyJudgeTest, AStopIsHeard) {
  const auto judge = read(short_prompt() + ",max-tokens=20");
  std::stop_source stop;
  stop.request_stop();
  expect_error(ErrorKind::interrupted, {}, [&] {
    judge->open(testing::session_of())->ask(prompt_, "a", "b", stop.get_token());
  });
}

TEST_F(PolicyJudgeTest, FingerprintsDifferWhereVerdictsMay) {
  std::set<std::string> prints;
  for (const std::string more : {"", ",max-tokens=7", ",ask=logits", ",ask=logits,margin=0.5"}) {
    prints.insert(read(more)->fingerprint());
  }
  prints.insert(read(short_prompt())->fingerprint());
  prints.insert(read("", Format::raw)->fingerprint());
  EXPECT_EQ(prints.size(), 6u);
  EXPECT_EQ(read(",name=x")->fingerprint(), read("")->fingerprint());
  EXPECT_EQ(read(",name=x")->name(), "x");
}

TEST_F(PolicyJudgeTest, MalformedListsAreRefused) {
  const auto refuse = [&](const std::string& more, const std::vector<std::string>& words) {
    expect_error(ErrorKind::usage, words, [&] { read(more); });
  };
  refuse(",nane=x", {"'nane'", "did you mean 'name'"});
  refuse(",url=http://a", {"either policy= or url="});
  refuse(",seed=1", {"seed= is for a judge with url="});
  refuse(",ask=loud", {"ask=loud", "generate or logits"});
  refuse(",ask=logits,max-tokens=3", {"max-tokens="});
  refuse(",margin=1", {"margin="});
  refuse(",ask=logits,margin=-1", {"margin=-1"});
  refuse(",max-tokens=0", {"max-tokens=0"});
  expect_error(ErrorKind::io, {"/no/such.txt"}, [&] { read(",prompt=/no/such.txt"); });
}

}  // namespace
}  // namespace tq
