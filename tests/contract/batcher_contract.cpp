// What the batcher guarantees over every engine: decoders that share a memory, each on a thread of
// its own, get what they would have got alone.
#include <algorithm>
#include <thread>

#include "contract.hpp"
#include "transferq/engine/batcher.hpp"

namespace tq::contract {
namespace {

constexpr std::uint32_t kDecoders = 4;

struct Step {
  Tokens tokens;  // of the branch
  Output output;
};

struct Decoded {
  std::vector<Step> steps;
  std::uint64_t calls = 0;  // of forward()
  std::uint64_t evaluations = 0;
};

}  // namespace

// Runs a decoder against each port on its own thread and hands the ports back to nobody: each is
// dropped as its decoder ends.
template <typename Decoder>
void run_all(Batcher& batcher, std::uint32_t count, const Decoder& decode) {
  std::vector<std::unique_ptr<Session>> ports;
  for (std::uint32_t d = 0; d < count; ++d) ports.push_back(batcher.port());
  std::vector<std::jthread> threads;
  for (std::uint32_t d = 0; d < count; ++d) {
    threads.emplace_back([&decode, d, port = std::move(ports[d])]() mutable {
      decode(*port, d);
      port.reset();
    });
  }
}

TEST_P(BatcherContract, ManyDecodersAtOnceEqualOneAtATime) {
  // Decoders of different length: prompt, then forks, feeds, a commit.
  const auto decode = [&](Session& s, std::uint32_t d) {
    Decoded run;
    Tokens kept = some(d, 1 + d);
    BranchId trunk = s.open();
    run.steps.push_back({kept, feed(s, trunk, kept)});
    ++run.calls;
    for (std::uint32_t step = 0; step < 2 + d; ++step) {
      const BranchId one = s.fork(trunk), two = s.fork(trunk);
      const Tokens x = some(100 * d + step, 1 + step % 2), y = some(200 * d + step, 2);
      const auto outputs = s.forward(std::vector<Feed>{{one, x, kAll}, {two, y, kAll}});
      ++run.calls;
      run.steps.push_back({s.tokens(one), outputs[0]});
      run.steps.push_back({s.tokens(two), outputs[1]});
      EXPECT_EQ(s.tokens(one), kept + x);
      s.drop(trunk);
      s.drop(one);
      trunk = two;
      kept.push_back(y[0]);
      s.truncate(trunk, kept.size());
      EXPECT_EQ(s.length(trunk), kept.size());
    }
    run.evaluations = s.evaluations();
    return run;
  };

  std::vector<Decoded> at_once(kDecoders);
  Batcher batcher(session(16, 200));
  run_all(batcher, kDecoders, [&](Session& s, std::uint32_t d) { at_once[d] = decode(s, d); });

  std::uint64_t calls = 0, longest = 0;
  for (std::uint32_t d = 0; d < kDecoders; ++d) {
    SCOPED_TRACE("decoder " + std::to_string(d));
    const auto own = session(16, 200);
    const Decoded right = decode(*own, d);
    ASSERT_EQ(at_once[d].steps.size(), right.steps.size());
    for (std::size_t i = 0; i < right.steps.size(); ++i) {
      EXPECT_EQ(at_once[d].steps[i].tokens, right.steps[i].tokens);
      expect_right(at_once[d].steps[i].output, right.steps[i].tokens, "step " + std::to_string(i));
    }
    EXPECT_EQ(at_once[d].evaluations, right.evaluations);
    calls += right.calls;
    longest = std::max(longest, right.calls);
  }
  // Every round took a call of each decoder still running.
  EXPECT_EQ(batcher.rounds(), longest);
  EXPECT_LT(batcher.rounds(), calls);
  // What the ports left behind is nothing.
  const auto port = batcher.port();
  EXPECT_EQ(port->capacity().free_cells, port->capacity().cells);
  EXPECT_EQ(port->capacity().free_branches, port->capacity().branches);
}

TEST_P(BatcherContract, OnlyThePortOverCapacityGetsTheError) {
  Batcher batcher(session(8, 40));
  std::vector<Output> outputs(kDecoders);
  run_all(batcher, kDecoders, [&](Session& s, std::uint32_t d) {
    const BranchId a = s.open();
    if (d == 1) {
      const Tokens much = some(7, 41);
      const Feed big{a, much, kAll};
      try {
        s.forward({&big, 1});
        ADD_FAILURE() << "41 tokens in 40 cells";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::capacity);
      }
      EXPECT_EQ(s.evaluations(), 0u);
      EXPECT_EQ(s.length(a), 0u);
    } else {
      feed(s, a, some(d, 3));
    }
    outputs[d] = feed(s, a, some(10 + d, 2));  // all go on, the refused one as well
    EXPECT_EQ(s.evaluations(), d == 1 ? 2u : 5u);
  });
  for (std::uint32_t d = 0; d < kDecoders; ++d) {
    const Tokens before = d == 1 ? Tokens{} : some(d, 3);
    expect_right(outputs[d], before + some(10 + d, 2), "decoder " + std::to_string(d));
  }
}

TEST_P(BatcherContract, OnlyThePortWithTheMalformedFeedGetsTheError) {
  Batcher batcher(session(8, 40));
  std::vector<Output> outputs(kDecoders);
  run_all(batcher, kDecoders, [&](Session& s, std::uint32_t d) {
    const BranchId a = s.open();
    const Tokens tokens = d == 2 ? Tokens{-1} : some(d, 3);
    const Feed one{a, tokens, kAll};
    try {
      outputs[d] = s.forward({&one, 1}).at(0);
      EXPECT_NE(d, 2u);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_EQ(d, 2u);
    }
  });
  for (std::uint32_t d = 0; d < kDecoders; ++d) {
    if (d != 2) expect_right(outputs[d], some(d, 3), "decoder " + std::to_string(d));
  }
}

TEST_P(BatcherContract, ADecoderThatDiesDoesNotHoldTheOthers) {
  Batcher batcher(session(8, 100));
  std::vector<Output> outputs(kDecoders);
  run_all(batcher, kDecoders, [&](Session& s, std::uint32_t d) {
    const BranchId a = s.open();
    if (d == 0) return;  // leaves before anything was evaluated, with a branch open
    feed(s, a, some(d, 2));
    if (d == 1) return;
    outputs[d] = feed(s, a, some(10 + d, 2));
  });
  for (std::uint32_t d = 2; d < kDecoders; ++d) {
    expect_right(outputs[d], some(d, 2) + some(10 + d, 2), "decoder " + std::to_string(d));
  }
}

}  // namespace tq::contract
