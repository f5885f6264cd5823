// Chunk-level beam search against the exact law over all its draws.
#include "transferq/decode/chunk_beam.hpp"

#include "tests/decode/exact_laws.hpp"
#include "transferq/decode/drawing.hpp"

namespace tq {
namespace {

using testing::Answer;
using testing::Law;
using testing::run;
using testing::scattered;
using testing::setup_of;
using testing::Tokens;

class ChunkBeam : public ::testing::Test {
 protected:
  static DecoderOptions options(std::size_t beams, std::size_t successors, std::size_t chunk) {
    return {.name = "cbs", .samples = beams * successors, .chunk = chunk, .beams = beams};
  }
  tq::Setup setup(const DecoderOptions& o, std::size_t max_tokens) const {
    return setup_of(policy_, o, testing::scattered_reward(), max_tokens);
  }

  const Policy policy_{testing::random_table(3, 8, 6, Token{2}), Format::raw};
  const Prompt prompt_ = make_prompt("a", "0");
};

// The search, written anew as a recursion over everything that may be drawn.
class Exact {
 public:
  Exact(const Policy& policy, const Prompt& prompt, std::size_t beams, std::size_t successors,
        std::size_t chunk, std::size_t longest)
      : policy_(policy),
        prompt_(prompt),
        beams_(beams),
        successors_(successors),
        chunk_(chunk),
        longest_(longest) {}

  Law law() { return from(std::vector<Tokens>(beams_)); }

 private:
  bool over(const Tokens& y) const {
    return y.size() == longest_ || (!y.empty() && policy_.model().is_end(y.back()));
  }

  const Law& from(const std::vector<Tokens>& beams) {
    if (const auto it = known_.find(beams); it != known_.end()) return it->second;
    Law law;
    if (std::all_of(beams.begin(), beams.end(), [&](const Tokens& y) { return over(y); })) {
      law[beams.front()] = 1;
    } else {
      std::vector<Law> slots;
      for (const Tokens& beam : beams) {
        if (over(beam)) {
          slots.push_back({{beam, 1.0}});
          continue;
        }
        const std::size_t room = std::min(chunk_, longest_ - beam.size());
        for (std::size_t j = 0; j < successors_; ++j) {
          slots.push_back(testing::continuations(policy_, prompt_, beam, room));
        }
      }
      std::vector<Tokens> drawn;
      visit(slots, drawn, 1, law);
    }
    return known_[beams] = law;
  }

  void visit(const std::vector<Law>& slots, std::vector<Tokens>& drawn, double p, Law& law) {
    if (drawn.size() == slots.size()) {
      std::vector<Tokens> next = drawn;
      std::stable_sort(next.begin(), next.end(), [](const Tokens& a, const Tokens& b) {
        return scattered(a) > scattered(b);
      });
      next.resize(std::min(beams_, next.size()));
      for (const auto& [y, q] : from(next)) law[y] += p * q;
      return;
    }
    for (const auto& [y, q] : slots[drawn.size()]) {
      drawn.push_back(y);
      visit(slots, drawn, p * q, law);
      drawn.pop_back();
    }
  }

  const Policy& policy_;
  const Prompt& prompt_;
  std::size_t beams_, successors_, chunk_, longest_;
  std::map<std::vector<Tokens>, Law> known_;
};

TEST_F(ChunkBeam, FollowsTheLawOverAllDraws) {
  constexpr int kRuns = 6000;
  const Law responses = testing::responses(policy_, prompt_, 3);
  for (const auto& [beams, successors, chunk] :
       {std::tuple<std::size_t, std::size_t, std::size_t>{1, 2, 1},
        {1, 3, 2},
        {2, 1, 1},
        {2, 2, 1},
        {3, 1, 2}}) {
    SCOPED_TRACE(::testing::Message() << beams << ' ' << successors << ' ' << chunk);
    const Law exact = Exact(policy_, prompt_, beams, successors, chunk, 3).law();
    const auto sampled =
        testing::sample_law(setup(options(beams, successors, chunk), 3), prompt_, kRuns);
    testing::expect_law(sampled.law, exact, kRuns);
    EXPECT_GE(sampled.kl, testing::kl_of(exact, responses)) << "the mean bound";
  }
  EXPECT_EQ(run(setup(options(2, 2, 1), 3), prompt_).decoded.kl_kind, KlKind::bound);
}

TEST_F(ChunkBeam, OneBeamOfOneTokenChoosesTokenByToken) {
  // Each step is the best of K draws, by the reward of the text so far.
  constexpr int kRuns = 6000;
  Law exact;
  const auto step = [&](const auto& self, const Tokens& state, double p) -> void {
    if (state.size() == 3 || (!state.empty() && state.back() == 2)) {
      exact[state] += p;
      return;
    }
    const Law best = testing::best_of_law(testing::continuations(policy_, prompt_, state, 1), 4);
    for (const auto& [next, q] : best) self(self, next, p * q);
  };
  step(step, {}, 1);
  const auto sampled = testing::sample_law(setup(options(1, 4, 1), 3), prompt_, kRuns);
  testing::expect_law(sampled.law, exact, kRuns);
  for (const auto& [y, p] : Exact(policy_, prompt_, 1, 4, 1, 3).law()) {
    EXPECT_NEAR(p, exact.at(y), 1e-12);
  }
}

TEST_F(ChunkBeam, AChunkAsLongAsTheResponseIsBestOfNToTheBit) {
  for (int i = 0; i < 20; ++i) {
    const Prompt prompt = make_prompt(std::to_string(i), "0");
    const Answer best = run(setup({.name = "best-of", .samples = 6}, 7), prompt);
    for (const std::size_t beams : {1u, 2u, 3u}) {
      const Answer out = run(setup(options(beams, 6 / beams, 7), 7), prompt);
      EXPECT_EQ(out.decoded.tokens, best.decoded.tokens);
      EXPECT_EQ(out.decoded.reward, best.decoded.reward);
      EXPECT_EQ(out.evaluations.policy, best.evaluations.policy);
      if (beams == 1) {
        EXPECT_NEAR(out.decoded.kl_to_reference, best.decoded.kl_to_reference, 1e-12);
      }
    }
  }
}

TEST_F(ChunkBeam, OneSuccessorOfOneBeamIsSampling) {
  for (int i = 0; i < 10; ++i) {
    const Prompt prompt = make_prompt(std::to_string(i), "0");
    const Answer out = run(setup(options(1, 1, 2), 7), prompt);
    EXPECT_EQ(out.decoded.tokens, run(setup({.name = "sample"}, 7), prompt).decoded.tokens);
    EXPECT_EQ(out.decoded.kl_to_reference, 0.0);
  }
}

TEST_F(ChunkBeam, TurnsGiveTheSameAnswer) {
  const DecoderOptions o = options(3, 3, 2);
  for (int i = 0; i < 5; ++i) {
    const Prompt prompt = make_prompt(std::to_string(i), "0");
    const Answer once = run(setup(o, 6), prompt);
    for (const std::size_t cells : {7u, 15u, 30u}) {
      const Answer turns = run(setup(o, 6), prompt, testing::session_of(cells));
      EXPECT_EQ(turns.decoded.tokens, once.decoded.tokens);
      EXPECT_GE(turns.evaluations.policy, once.evaluations.policy);
    }
  }
}

TEST(ChunkBeamCost, ATokenCostsAllSuccessorsAndABeamsLastTokenIsEvaluatedOnce) {
  const testing::TemporaryFolder folder;
  const Policy endless(testing::endless(12), Format::raw);
  const DecoderOptions o{.name = "cbs", .samples = 16, .chunk = 10, .beams = 4};
  const auto rule = testing::reward_of([](const Draft& d) { return scattered(d.tokens); });
  const Prompt prompt = make_prompt("a", "1.2.");
  const Answer out = run(setup_of(endless, o, rule, 30), prompt);
  EXPECT_EQ(out.evaluations.policy, 3 * 16 * 9u + 2 * 4u);
  const Answer head = run(setup_of(endless, o, testing::head_on(endless, folder), 30), prompt);
  EXPECT_EQ(head.evaluations.policy, 3 * 16 * 10u);
  EXPECT_EQ(head.evaluations.reward, 0u);
}

}  // namespace
}  // namespace tq
