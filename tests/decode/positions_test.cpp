// Roll-outs in the first and last tokens alone: elsewhere a step is one of ARGS or of plain
// decoding; there it is as ever.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/decode/decoding.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::expect_error;

constexpr std::size_t kTokens = 8, kTop = 5, kHorizon = 3;

class PositionsTest : public ::testing::Test {
 protected:
  static DecoderOptions options(std::size_t last) {
    DecoderOptions out{.name = "tq", .alpha = 0.2, .top_k = kTop, .horizon = kHorizon};
    out.last = last;
    return out;
  }
  Answer decode(const DecoderOptions& o) const {
    const auto noise = testing::reward_of(
        [](const Draft& d) { return uniform({.prompt = hash32(d.text.data(), d.text.size())}); });
    return testing::run(testing::setup_of(table_, o, noise, kTokens), make_prompt("a", "1."),
                        testing::session_of(4000, 300));
  }
  // A table that never ends, so that costs are exact.
  const Policy table_{testing::random_table(7, 3), Format::raw};
};

TEST_F(PositionsTest, AsManyTokensAsThereAreChangeNothing) {
  for (const Choose choose : {Choose::greedy, Choose::sample}) {
    DecoderOptions o = options(0);
    o.choose = choose;
    const Answer all = decode(o);
    o.last = kTokens;
    const Answer same = decode(o);
    EXPECT_EQ(same.decoded.tokens, all.decoded.tokens);
    EXPECT_EQ(same.evaluations.policy, all.evaluations.policy);
    for (const Step& step : same.steps) EXPECT_TRUE(step.rolled_out);
  }
}

TEST_F(PositionsTest, EarlierStepsAreThoseOfArgs) {
  for (const Choose choose : {Choose::greedy, Choose::sample}) {
    for (const std::size_t last : {2u, 4u}) {
      DecoderOptions o = options(last);
      o.choose = choose;
      const Answer late = decode(o);
      o.last = 0;
      o.name = "args";
      const Answer args = decode(o);
      for (std::size_t s = 0; s < kTokens - last; ++s) {
        EXPECT_FALSE(late.steps[s].rolled_out);
        ASSERT_EQ(late.steps[s].token, args.steps[s].token);
        for (std::size_t i = 0; i < kTop; ++i) {
          EXPECT_EQ(late.steps[s].candidates[i].value, args.steps[s].candidates[i].value);
        }
      }
      EXPECT_TRUE(late.steps[kTokens - last].rolled_out);
    }
  }
}

// As ARGS with its weight w does, whose alpha is 1/w.
TEST_F(PositionsTest, TheTextSoFarMayWeighMore) {
  for (const Choose choose : {Choose::greedy, Choose::sample}) {
    DecoderOptions o = options(4);
    o.choose = choose;
    o.text_weight = 4;
    const Answer late = decode(o);
    o.text_weight = 1;
    const Answer light = decode(o);
    o.last = 0;
    o.name = "args";
    o.alpha /= 4;
    const Answer args = decode(o);
    std::size_t differ = 0;
    for (std::size_t s = 0; s < kTokens - 4; ++s) {
      ASSERT_EQ(late.steps[s].token, args.steps[s].token);
      for (std::size_t i = 0; i < kTop; ++i) {
        const CandidateView& c = late.steps[s].candidates[i];
        EXPECT_EQ(c.value, args.steps[s].candidates[i].value);
        EXPECT_EQ(c.probability, args.steps[s].candidates[i].probability);
        differ += c.probability != light.steps[s].candidates[i].probability;
      }
    }
    EXPECT_GT(differ, 0u);
    // Where there are roll-outs, alpha is as it was.
    const std::vector<CandidateView>& first = late.steps[kTokens - 4].candidates;
    EXPECT_NEAR(std::log(first[0].probability / first[1].probability),
                first[0].logprob - first[1].logprob + (first[0].value - first[1].value) / 0.2,
                1e-9);
  }
}

// Before, the committed token alone; from there on k candidates and what their roll-outs reach, but
// for the last token of each, which nobody looks behind.
TEST_F(PositionsTest, CostsRollOutsInTheLastTokensAlone) {
  std::uint64_t expected = kTokens - 4;
  for (std::size_t room = 4; room > 0; --room) {
    const std::size_t depth = std::min(kHorizon, room - 1);
    expected += depth > 0 ? kTop * depth : 0;
  }
  EXPECT_EQ(decode(options(4)).evaluations.policy, expected);
}

TEST_F(PositionsTest, EarlierStepsMayBePlain) {
  DecoderOptions o = options(4);
  o.choose = Choose::greedy;
  const std::uint64_t by_text = decode(o).evaluations.policy;
  o.elsewhere = Elsewhere::plain;
  const Answer late = decode(o);
  EXPECT_EQ(late.evaluations.policy, by_text);  // the reward reads texts
  o = {.name = "greedy"};
  const Answer plain = decode(o);
  for (std::size_t s = 0; s < kTokens; ++s) {
    EXPECT_EQ(late.steps[s].rolled_out, s >= kTokens - 4);
    for (const CandidateView& c : late.steps[s].candidates) {
      EXPECT_EQ(std::isnan(c.value), s < kTokens - 4);
    }
    if (s < kTokens - 4) {
      EXPECT_EQ(late.steps[s].token, plain.steps[s].token);
    }
  }
}

// A draw from the candidates, by the proposal: what an infinite alpha draws.
TEST_F(PositionsTest, PlainStepsMayBeDrawn) {
  DecoderOptions o = options(4);
  o.elsewhere = Elsewhere::plain;
  const Answer late = decode(o);
  o.alpha = std::numeric_limits<double>::infinity();
  const Answer free = decode(o);
  for (std::size_t s = 0; s < kTokens - 4; ++s) {
    EXPECT_EQ(late.steps[s].token, free.steps[s].token);
    for (std::size_t i = 0; i < kTop; ++i) {
      EXPECT_DOUBLE_EQ(late.steps[s].candidates[i].probability,
                       free.steps[s].candidates[i].probability);
    }
  }
}

TEST_F(PositionsTest, TheFirstTokensMayBeRolledOutFrom) {
  for (const std::size_t last : {0u, 3u}) {
    DecoderOptions o = options(last);
    o.first = 2;
    const Answer out = decode(o);
    o.first = o.last = 0;
    const Answer all = decode(o);
    for (std::size_t s = 0; s < kTokens; ++s) {
      EXPECT_EQ(out.steps[s].rolled_out, s < 2 || s >= kTokens - last) << s;
      if (s < 2) {
        EXPECT_EQ(out.steps[s].token, all.steps[s].token);
      }
    }
  }
}

TEST_F(PositionsTest, CommitsBeginWithTheRollOuts) {
  DecoderOptions o = options(4);
  o.commit = 2;
  const Answer out = decode(o);
  for (std::size_t s = 0; s < kTokens; ++s) {
    EXPECT_EQ(out.steps[s].candidates.empty(), s > 4 && s % 2 == 1) << s;
  }
}

TEST_F(PositionsTest, RefusesWhatHasNoRollOutsOrNoTextSoFar) {
  const auto refused = [&](const DecoderOptions& o, const std::vector<std::string>& words) {
    expect_error(ErrorKind::usage, words, [&] { make_decoder(o, 1000); });
  };
  DecoderOptions o = options(4);
  o.horizon = 0;
  refused(o, {"--last 4", "--horizon 0"});
  o = options(4);
  o.name = "args";
  refused(o, {"--last 4", "args"});
  o.name = "best-of";
  refused(o, {"--last 4", "best-of"});
  o = options(4);
  o.finished_only = true;
  refused(o, {"--last 4", "can't score", "--elsewhere plain"});
  o.elsewhere = Elsewhere::plain;
  EXPECT_NO_THROW(make_decoder(o, 1000));
  o.block = 2;
  refused(o, {"--elsewhere plain", "--block 2"});
  o = options(0);
  o.elsewhere = Elsewhere::plain;
  refused(o, {"--elsewhere plain", "--first and --last"});
  o = {.name = "best-of"};
  o.elsewhere = Elsewhere::plain;
  refused(o, {"--elsewhere", "best-of"});
}

TEST_F(PositionsTest, RefusesAWeightThatWeighsNothing) {
  const auto refused = [&](const DecoderOptions& o, const std::vector<std::string>& words) {
    expect_error(ErrorKind::usage, words, [&] { make_decoder(o, 1000); });
  };
  DecoderOptions o = options(4);
  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN()}) {
    o.text_weight = bad;
    refused(o, {"--text-weight", "above 0"});
  }
  o.text_weight = 2;
  EXPECT_NO_THROW(make_decoder(o, 1000));
  o.elsewhere = Elsewhere::plain;
  refused(o, {"--text-weight 2", "--elsewhere plain"});
  o.elsewhere = Elsewhere::text;
  o.kl_budget = 3;
  refused(o, {"--text-weight 2", "--kl-budget"});
  o = options(0);
  o.text_weight = 2;
  refused(o, {"--text-weight 2", "--first and --last", "--alpha"});
  o = {.name = "args"};
  o.text_weight = 2;
  refused(o, {"--text-weight 2", "--alpha"});
  o.name = "best-of";
  refused(o, {"--text-weight 2", "best-of"});
}

}  // namespace
}  // namespace tq
