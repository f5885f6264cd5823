// What the batcher does where the session fails, beyond what the contract suite shows.
#include "transferq/engine/batcher.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>

#include "transferq/core/error.hpp"
#include "transferq/engine/tabular/session.hpp"

namespace tq {
namespace {

using Tokens = std::vector<Token>;

const tabular::TabularModel& small_model() {
  static const tabular::TabularModel kModel(3, {{{}, {0.1, 0.7, 0.2}}, {{0}, {0.3, 0.3, 0.4}}});
  return kModel;
}

std::unique_ptr<Session> table_session(std::size_t branches, std::size_t cells) {
  SessionOptions options;
  options.branches = branches;
  options.cells = cells;
  return small_model().open_session(options);
}

// A session whose evaluations throw what they are told to, after noting the feeds of each.
class Broken : public tabular::TabularSession {
 public:
  explicit Broken(std::function<void()> fail)
      : TabularSession(small_model(), {}), fail_(std::move(fail)) {}
  std::vector<Output> forward(std::span<const Feed> feeds) override {
    fail_();
    return TabularSession::forward(feeds);
  }

 private:
  std::function<void()> fail_;
};

// Feeds `tokens[i]` to port i, each on a thread of its own; the message of each one's error, or "".
std::vector<std::string> forward_all(Batcher& batcher, const std::vector<Tokens>& tokens) {
  std::vector<std::string> errors(tokens.size());
  std::vector<std::unique_ptr<Session>> ports;
  for (std::size_t i = 0; i < tokens.size(); ++i) ports.push_back(batcher.port());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      threads.emplace_back([&, i] {
        const Feed feed{ports[i]->open(), tokens[i], Want::logits};
        try {
          ports[i]->forward({&feed, 1});
          EXPECT_EQ(ports[i]->evaluations(), tokens[i].size());
        } catch (const std::exception& error) {
          errors[i] = error.what();
          EXPECT_EQ(ports[i]->evaluations(), 0u);
        }
      });
    }
  }
  return errors;
}

TEST(Batcher, AFailureOfTheEngineIsEveryonesAndTriedOnce) {
  int calls = 0;
  Batcher batcher(std::make_unique<Broken>([&] {
    ++calls;
    throw Error(ErrorKind::model, "the engine broke");
  }));
  for (const std::string& error : forward_all(batcher, {{0}, {1}, {2}})) {
    EXPECT_EQ(error, "the engine broke");
  }
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(batcher.rounds(), 0u);
}

TEST(Batcher, AnyExceptionReachesEveryWaitingThread) {
  Batcher batcher(std::make_unique<Broken>([] { throw std::length_error("too long"); }));
  for (const std::string& error : forward_all(batcher, {{0}, {1}})) EXPECT_EQ(error, "too long");
}

TEST(Batcher, TheSmallestGoFirstWhereNotAllFit) {
  Batcher batcher(table_session(8, 10));
  const auto errors = forward_all(batcher, {Tokens(9, 0), Tokens(3, 1), Tokens(5, 2)});
  EXPECT_NE(errors[0].find("10 cells"), std::string::npos) << errors[0];
  EXPECT_EQ(errors[1], "");
  EXPECT_EQ(errors[2], "");
  EXPECT_EQ(batcher.rounds(), 2u);
}

TEST(Batcher, OneRoundForAll) {
  Batcher batcher(table_session(8, 100));
  EXPECT_EQ(forward_all(batcher, {{0}, {1}, {2}, {0, 1}}), std::vector<std::string>(4));
  EXPECT_EQ(batcher.rounds(), 1u);
}

TEST(Batcher, ALonePortWaitsForNobody) {
  Batcher batcher(table_session(2, 10));
  const auto port = batcher.port();
  const Tokens tokens{0};
  const Feed feed{port->open(), tokens, Want::argmax};
  EXPECT_EQ(port->forward({&feed, 1}).at(0).argmax, 2);
  EXPECT_TRUE(port->forward({}).empty());
}

TEST(Batcher, DroppingAPortWakesThoseWhoWait) {
  for (const int milliseconds : {0, 0, 0, 0, 20}) {  // before the other waits, or after
    Batcher batcher(table_session(4, 10));
    auto idle = batcher.port();
    const auto busy = batcher.port();
    std::jthread thread([&] {
      const Tokens tokens{0};
      const Feed feed{busy->open(), tokens, Want::argmax};
      EXPECT_EQ(busy->forward({&feed, 1}).at(0).argmax, 2);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    idle.reset();
  }
}

TEST(Batcher, APortHasItsOwnBranchesAlone) {
  Batcher batcher(table_session(4, 10));
  const auto mine = batcher.port();
  auto other = batcher.port();
  const BranchId a = other->open();
  const Tokens tokens{0};
  const Feed feed{a, tokens, Want::nothing};
  EXPECT_THROW(mine->forward({&feed, 1}), Error);  // at once: it does not wait for the other
  EXPECT_THROW(mine->fork(a), Error);
  EXPECT_THROW(mine->truncate(a, 0), Error);
  EXPECT_THROW(mine->drop(a), Error);
  EXPECT_THROW(mine->tokens(a), Error);
  EXPECT_THROW(mine->length(a), Error);
  EXPECT_EQ(mine->capacity().free_branches, 3u);
  other.reset();
  EXPECT_EQ(mine->capacity().free_branches, 4u);
}

}  // namespace
}  // namespace tq
