// What every scorer shares: no draft is computed twice, and no score is made up.
#include <gtest/gtest.h>

#include <limits>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/reward/reward.hpp"

namespace tq {
namespace {

// The length of the text, and a record of what was asked.
class Counting final : public Scorer {
 public:
  std::vector<std::vector<std::string>> calls;
  double fault = 0;  // added to every score

 private:
  std::vector<double> compute(std::span<const Draft> drafts) override {
    std::vector<double> out;
    calls.emplace_back();
    for (const Draft& draft : drafts) {
      calls.back().push_back(draft.text);
      out.push_back(static_cast<double>(draft.text.size() + 2 * draft.trail.length()) + fault);
    }
    return out;
  }
};

Draft draft(const std::string& text) { return {text, {}, {}, false}; }
using Scores = std::vector<double>;
using Calls = std::vector<std::vector<std::string>>;

TEST(Scorer, EqualDraftsAreComputedOnce) {
  Counting scorer;
  EXPECT_EQ(scorer.score(std::vector{draft("ab"), draft("a"), draft("ab"), draft("abc")}),
            (Scores{2, 1, 2, 3}));
  EXPECT_EQ(scorer.calls, (Calls{{"ab", "a", "abc"}}));
}

TEST(Scorer, ADraftOfTheCallBeforeIsKnownAndOfTheOneBeforeThatIsNot) {
  Counting scorer;
  scorer.score(std::vector{draft("ab"), draft("a")});
  EXPECT_EQ(scorer.score(std::vector{draft("abc"), draft("ab")}), (Scores{3, 2}));
  EXPECT_EQ(scorer.score(std::vector{draft("ab")}), Scores{2});
  EXPECT_EQ(scorer.score(std::vector{draft("a"), draft("abc")}), (Scores{1, 3}));
  EXPECT_EQ(scorer.calls, (Calls{{"ab", "a"}, {"abc"}, {"a", "abc"}}));
}

TEST(Scorer, DraftsThatDifferInAnythingAreOthers) {
  Counting scorer;
  Draft ended = draft("a"), whole = draft("a"), tokens = draft("a");
  ended.ended = true;
  whole.whole = true;
  tokens.tokens = {7};
  scorer.score(std::vector{draft("a"), ended, whole, tokens});
  EXPECT_EQ(scorer.calls.at(0).size(), 4u);
}

TEST(Scorer, DraftsWithTheirStatesAreComputedEachTime) {
  Counting scorer;
  Draft with = draft("a");
  with.trail.append({1, 2});
  EXPECT_EQ(scorer.score(std::vector{with, draft("a"), with}), (Scores{3, 1, 3}));
  EXPECT_EQ(scorer.score(std::vector{draft("a"), with}), (Scores{1, 3}));
  EXPECT_EQ(scorer.calls, (Calls{{"a", "a", "a"}, {"a"}}));
}

TEST(Scorer, AScoreThatIsNoNumberIsAnErrorAndIsAskedForAgain) {
  Counting scorer;
  scorer.fault = std::numeric_limits<double>::quiet_NaN();
  testing::expect_error(ErrorKind::input, {"'ab'", "not a finite number"},
                        [&] { scorer.score(std::vector{draft("ab")}); });
  scorer.fault = 0;
  EXPECT_EQ(scorer.score(std::vector{draft("ab")}), Scores{2});
  EXPECT_EQ(scorer.calls.size(), 2u);
}

}  // namespace
}  // namespace tq
