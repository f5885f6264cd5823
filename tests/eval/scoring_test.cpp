#include "transferq/eval/scoring.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/reward/tiny_head.hpp"
#include "transferq/core/error.hpp"
#include "transferq/reward/linear_head.hpp"

namespace tq {
namespace {

using testing::operator+;

ScoreItem item(const std::string& id, const std::string& prompt,
               std::vector<std::string> responses) {
  return {id, 7, make_prompt(id, prompt), std::move(responses), std::nullopt};
}

// Refuses one text; every other scores its length.
class Picky final : public Reward {
 public:
  explicit Picky(ErrorKind kind) : kind_(kind) {}
  const RewardInfo& info() const override { return info_; }
  std::unique_ptr<Scorer> open(const Prompt&, SessionPool&, const Workload&) const override {
    struct Scores final : Scorer {
      explicit Scores(const Picky& picky) : owner(picky) {}
      std::vector<double> compute(std::span<const Draft> drafts) override {
        ++owner.calls;
        std::vector<double> out;
        for (const Draft& draft : drafts) {
          EXPECT_TRUE(draft.ended);
          if (draft.text == "bad") throw Error(owner.kind_, "no score for it");
          out.push_back(static_cast<double>(draft.text.size()));
        }
        return out;
      }
      const Picky& owner;
    };
    return std::make_unique<Scores>(*this);
  }
  mutable int calls = 0;

 private:
  ErrorKind kind_;
  RewardInfo info_{"picky", "picky", {}, {}, true};
};

using Got = std::map<std::size_t, std::vector<double>>;

Got score(ScoringWorker& worker, const std::vector<ScoreItem>& run) {
  Got got;
  worker.score(run, [&](std::size_t i, const std::vector<double>& scores) {
    EXPECT_TRUE(got.emplace(i, scores).second);
  });
  return got;
}

TEST(ItemsOf, KeepsRowsAndPairs) {
  const auto rows = items_of(parse_examples(R"({"id":"a","prompt":"p","response":"r","label":1})"
                                            "\n\n"
                                            R"({"prompt":"p","response":"s"})",
                                            "f"));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].id, "a");
  EXPECT_EQ(rows[0].label, 1.0);
  EXPECT_EQ(rows[1].line, 3u);
  EXPECT_EQ(rows[1].responses, std::vector<std::string>{"s"});
  const auto pairs = items_of(parse_examples(R"({"prompt":"p","chosen":"x","rejected":"y"})", "f"));
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].responses, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(pairs[0].prompt.messages.at(0).content, "p");
}

TEST(RunsOfPrompt, JoinNeighboursOfOnePrompt) {
  std::vector<ScoreItem> items{item("a", "p", {"1"}), item("b", "p", {"1"}), item("c", "q", {"1"}),
                               item("d", "p", {"1", "2"}), item("e", "p", {"1", "2"})};
  using Runs = std::vector<std::size_t>;
  EXPECT_EQ(runs_of_prompt(items, 16), (Runs{2, 1, 2}));
  EXPECT_EQ(runs_of_prompt(items, 3), (Runs{2, 1, 1, 1}));
  EXPECT_EQ(runs_of_prompt(items, 1), (Runs{1, 1, 1, 1, 1}));
  items[1].prompt.messages[0].role = "system";
  EXPECT_EQ(runs_of_prompt(items, 16), (Runs{1, 1, 1, 2}));
  EXPECT_TRUE(runs_of_prompt({}, 16).empty());
}

TEST(ScoringWorker, EqualsScoringEachFromNothingAndSharesThePrompt) {
  testing::TinyModels files;
  const auto model = files.load();
  const HeadFile head = testing::random_head(*model);
  write_head(files / "head.gguf", head);
  const Policy base(model, Format::chat);
  const auto reward = make_linear_head(files / "head.gguf", base);
  ScoringWorker worker(*reward, testing::session_of());
  const std::vector<ScoreItem> run{item("a", "Say a word", {"one", "two of them"}),
                                   item("b", "Say a word", {"", "one more, and a longer one"})};
  const Got got = score(worker, run);
  ASSERT_EQ(got.size(), 2u);
  const auto prompt = base.encode(run[0].prompt);
  std::size_t tokens = prompt.size();
  for (std::size_t i = 0; i < run.size(); ++i) {
    ASSERT_EQ(got.at(i).size(), 2u);
    for (std::size_t j = 0; j < 2; ++j) {
      const auto response = model->tokenize(run[i].responses[j], false);
      EXPECT_NEAR(got.at(i)[j], testing::head_value(head, *model, prompt + response), 1e-4);
      tokens += response.size();
    }
  }
  // The prompt once, but for its last token, which the empty response needs evaluated beside.
  EXPECT_LE(worker.evaluations(), tokens + run.size() * 2);
  EXPECT_GE(worker.evaluations(), tokens);
  // Another, longer prompt in the same sessions.
  const std::vector<ScoreItem> next{item("c", "Say quite a few more words, if you please", {"no"})};
  EXPECT_NEAR(
      score(worker, next).at(0)[0],
      testing::head_value(head, *model, base.encode(next[0].prompt) + model->tokenize("no", false)),
      1e-4);
}

TEST(ScoringWorker, NamesTheRowAtFaultAndKeepsTheOthers) {
  const Picky reward(ErrorKind::input);
  ScoringWorker worker(reward, testing::session_of());
  Got got;
  const std::vector<ScoreItem> run{item("a", "p", {"good"}), item("b", "p", {"bad"}),
                                   item("7", "p", {"bad"}), item("d", "p", {"fine!"})};
  try {
    worker.score(run, [&](std::size_t i, const std::vector<double>& s) { got[i] = s; });
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()), "row 'b' (line 7): no score for it");
  }
  EXPECT_EQ(got, (Got{{0, {4}}, {3, {5}}}));
  try {
    score(worker, {run[2]});
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()), "line 7: no score for it");
  }
}

TEST(ScoringWorker, AFailureOfAllIsNotTriedAgain) {
  const Picky reward(ErrorKind::io);
  ScoringWorker worker(reward, testing::session_of());
  EXPECT_THROW(score(worker, {item("a", "p", {"good"}), item("b", "p", {"bad"})}), Error);
  EXPECT_EQ(reward.calls, 1);
}

}  // namespace
}  // namespace tq
