// What every session guarantees, used from one thread; and many sessions of one model at once.
#include <algorithm>
#include <thread>

#include "contract.hpp"
#include "transferq/core/logspace.hpp"

namespace tq::contract {

TEST_P(SessionContract, AnOpenBranchIsEmpty) {
  const auto s = session(3, 50);
  EXPECT_EQ(&s->model(), model_.get());
  EXPECT_EQ(s->capacity().branches, 3u);
  EXPECT_EQ(s->capacity().cells, 50u);
  EXPECT_EQ(s->capacity().free_branches, 3u);
  EXPECT_EQ(s->capacity().free_cells, 50u);
  const BranchId a = s->open();
  EXPECT_EQ(s->tokens(a), Tokens{});
  EXPECT_EQ(s->length(a), 0u);
  EXPECT_EQ(s->capacity().free_branches, 2u);
  EXPECT_EQ(s->evaluations(), 0u);
}

TEST_P(SessionContract, ForwardAppendsAndCounts) {
  const auto s = session(3, 50);
  const BranchId a = s->open(), b = s->open();
  const Tokens x = some(1, 5), y = some(2, 3);
  const std::vector<Feed> feeds{{a, x, kAll}, {b, y, kAll}};
  const auto outputs = s->forward(feeds);
  ASSERT_EQ(outputs.size(), 2u);
  expect_right(outputs[0], x, "first feed");
  expect_right(outputs[1], y, "second feed");
  EXPECT_EQ(s->tokens(a), x);
  EXPECT_EQ(s->tokens(b), y);
  EXPECT_EQ(s->length(a), 5u);
  EXPECT_EQ(s->evaluations(), 8u);
  EXPECT_EQ(s->capacity().free_cells, 42u);
}

TEST_P(SessionContract, ForwardReturnsWhatIsWanted) {
  const auto s = session();
  const Tokens x = some(1, 4);
  const Output all = alone(x);
  for (const Want want : {Want::nothing, Want::logits, Want::argmax, Want::hidden,
                          Want::logits | Want::hidden, Want::argmax | Want::hidden, kAll}) {
    const BranchId a = s->open();
    const Output out = feed(*s, a, x, want);
    EXPECT_EQ(out.logits.size(), has(want, Want::logits) ? model_->vocabulary() : 0);
    EXPECT_EQ(out.hidden.size(), has(want, Want::hidden) ? model_->hidden_size() : 0);
    EXPECT_EQ(out.argmax, has(want, Want::argmax) ? all.argmax : kNoToken);
    s->drop(a);
  }
  EXPECT_EQ(static_cast<std::size_t>(all.argmax), argmax(all.logits));
}

TEST_P(SessionContract, AStopRequestInterruptsChangesNothingAndCanBeTakenBack) {
  const auto s = session();
  const BranchId a = s->open();
  const Tokens x = some(1, 4), y = some(2, 3);
  feed(*s, a, x);
  std::stop_source stop;
  s->stop_on(stop.get_token());
  feed(*s, s->fork(a), y);  // nobody has asked yet
  stop.request_stop();
  expect_refused(*s, {a}, ErrorKind::interrupted, [&] { feed(*s, a, y); });
  s->stop_on({});
  expect_right(feed(*s, a, y), x + y, "after the interruption");
}

TEST_P(SessionContract, WantsMayDifferWithinACall) {
  const auto s = session();
  const Tokens x = some(1, 2), y = some(2, 3), z = some(3, 1);
  const BranchId a = s->open(), b = s->open(), c = s->open();
  const auto out =
      s->forward(std::vector<Feed>{{a, x, Want::hidden}, {b, y, Want::nothing}, {c, z, kAll}});
  EXPECT_TRUE(out[0].logits.empty());
  EXPECT_TRUE(out[1].logits.empty() && out[1].hidden.empty());
  EXPECT_EQ(out[0].hidden.size(), model_->hidden_size());
  expect_right(out[2], z, "third feed");
  expect_right(feed(*s, b, z), y + z, "a feed after an unwanted one");
}

TEST_P(SessionContract, NoFeedsAreNoEvaluation) {
  const auto s = session();
  EXPECT_TRUE(s->forward({}).empty());
  EXPECT_EQ(s->evaluations(), 0u);
}

TEST_P(SessionContract, TokensFedOneByOneEqualTokensFedAtOnce) {
  const auto s = session();
  const BranchId a = s->open();
  Tokens fed;
  for (const Token token : some(5, 7)) {
    fed.push_back(token);
    expect_right(feed(*s, a, {token}), fed, "after " + std::to_string(fed.size()));
  }
}

TEST_P(SessionContract, ForkCostsNothingAndSharesThePrefix) {
  const auto s = session(4, 20);
  const BranchId a = s->open();
  const Tokens prefix = some(1, 4), x = some(2, 2), y = some(3, 3);
  feed(*s, a, prefix);
  const BranchId b = s->fork(a);
  EXPECT_NE(a, b);
  EXPECT_EQ(s->evaluations(), 4u);
  EXPECT_EQ(s->capacity().free_cells, 16u);
  EXPECT_EQ(s->capacity().free_branches, 2u);
  EXPECT_EQ(s->tokens(b), prefix);
  expect_right(feed(*s, b, x), prefix + x, "fork");
  EXPECT_EQ(s->tokens(a), prefix);
  expect_right(feed(*s, a, y), prefix + y, "forked from");
  EXPECT_EQ(s->capacity().free_cells, 11u);
  const BranchId empty = s->open();
  expect_right(feed(*s, s->fork(empty), x), x, "fork of an empty branch");
}

TEST_P(SessionContract, BranchesFedTogetherEqualBranchesFedApart) {
  const auto together = session(), apart = session();
  const Tokens prefix = some(1, 4);
  const BranchId a = together->open(), b = apart->open();
  feed(*together, a, prefix);
  feed(*apart, b, prefix);
  std::vector<Tokens> news;
  std::vector<BranchId> left, right;
  for (std::uint32_t i = 0; i < 5; ++i) {
    news.push_back(some(10 + i, 1 + i % 3));
    left.push_back(together->fork(a));
    right.push_back(apart->fork(b));
  }
  std::vector<Feed> feeds;
  for (std::size_t i = 0; i < news.size(); ++i) feeds.push_back({left[i], news[i], kAll});
  const auto outputs = together->forward(feeds);
  for (std::size_t i = 0; i < news.size(); ++i) {
    expect_right(outputs[i], prefix + news[i], "together");
    expect_right(feed(*apart, right[i], news[i]), prefix + news[i], "apart");
    EXPECT_EQ(together->tokens(left[i]), apart->tokens(right[i]));
  }
  EXPECT_EQ(together->evaluations(), apart->evaluations());
  EXPECT_EQ(together->capacity().free_cells, apart->capacity().free_cells);
}

TEST_P(SessionContract, ManyTokensInOneCall) {  // more than engines evaluate in one go
  const auto s = session(64, 900);
  std::vector<BranchId> branches;
  std::vector<Tokens> news;
  const Tokens prefix = some(1, 3);
  branches.push_back(s->open());
  feed(*s, branches[0], prefix);
  while (branches.size() < 64) branches.push_back(s->fork(branches[0]));
  for (std::uint32_t i = 0; i < 64; ++i) news.push_back(some(100 + i, 10 + i % 7));
  std::vector<Feed> feeds;
  std::uint64_t count = 3;
  for (std::size_t i = 0; i < 64; ++i) {
    feeds.push_back({branches[i], news[i], i % 3 == 0 ? kAll : Want::nothing});
    count += news[i].size();
  }
  const auto outputs = s->forward(feeds);
  EXPECT_EQ(s->evaluations(), count);
  for (std::size_t i = 0; i < 64; i += 9) expect_right(outputs[i], prefix + news[i], "many");
  for (std::size_t i = 0; i < 64; i += 7) {
    expect_right(feed(*s, branches[i], {0}), prefix + news[i] + Tokens{0}, "after many");
  }
}

TEST_P(SessionContract, TruncateKeepsTheHeadAndFreesTheRest) {
  const auto s = session(4, 20);
  const BranchId a = s->open();
  const Tokens x = some(1, 6), y = some(2, 2);
  feed(*s, a, x);
  s->truncate(a, 4);
  EXPECT_EQ(s->tokens(a), Tokens(x.begin(), x.begin() + 4));
  EXPECT_EQ(s->capacity().free_cells, 16u);
  expect_right(feed(*s, a, y), Tokens(x.begin(), x.begin() + 4) + y, "after truncation");
  s->truncate(a, 6);  // all of it: no change
  EXPECT_EQ(s->length(a), 6u);
  s->truncate(a, 0);
  EXPECT_EQ(s->capacity().free_cells, 20u);
  expect_right(feed(*s, a, y), y, "after truncation to nothing");
  EXPECT_EQ(s->evaluations(), 10u);
}

TEST_P(SessionContract, TruncateLeavesOtherBranchesTheirCells) {
  const auto s = session(4, 20);
  const BranchId a = s->open();
  const Tokens x = some(1, 5), y = some(2, 2);
  feed(*s, a, x);
  const BranchId b = s->fork(a);
  s->truncate(a, 2);
  EXPECT_EQ(s->capacity().free_cells, 15u);
  EXPECT_EQ(s->tokens(b), x);
  expect_right(feed(*s, b, y), x + y, "the other branch");
  expect_right(feed(*s, a, y), Tokens(x.begin(), x.begin() + 2) + y, "the truncated branch");
  s->drop(b);
  EXPECT_EQ(s->capacity().free_cells, 16u);
}

TEST_P(SessionContract, DropFreesWhatNobodyShares) {
  const auto s = session(2, 20);
  const BranchId a = s->open();
  const Tokens x = some(1, 5), y = some(2, 2);
  feed(*s, a, x);
  const BranchId b = s->fork(a);
  feed(*s, b, y);
  s->drop(a);  // the parent first
  EXPECT_EQ(s->capacity().free_cells, 13u);
  EXPECT_EQ(s->capacity().free_branches, 1u);
  EXPECT_EQ(s->tokens(b), x + y);
  const BranchId c = s->open();  // reuses the place of a dropped branch, but not its tokens
  EXPECT_EQ(s->length(c), 0u);
  expect_right(feed(*s, c, y), y, "a reused place");
  expect_right(feed(*s, b, x), x + y + x, "the surviving branch");
  s->drop(b);
  s->drop(c);
  EXPECT_EQ(s->capacity().free_cells, 20u);
  EXPECT_EQ(s->capacity().free_branches, 2u);
}

// The token loop's pattern: fork candidates, roll them out, keep the winner's first token.
TEST_P(SessionContract, CommittingAWinnerCostsNoEvaluation) {
  const auto s = session(8, 60);
  BranchId trunk = s->open();
  Tokens kept = some(1, 3);
  feed(*s, trunk, kept);
  for (std::uint32_t step = 0; step < 4; ++step) {
    std::vector<BranchId> candidates;
    std::vector<Tokens> news;
    std::vector<Feed> feeds;
    for (std::uint32_t i = 0; i < 4; ++i) {
      candidates.push_back(s->fork(trunk));
      news.push_back(some(10 * step + i, 3));
    }
    for (std::size_t i = 0; i < 4; ++i) feeds.push_back({candidates[i], news[i]});
    s->forward(feeds);
    const std::size_t winner = (step + 1) % 4;
    s->drop(trunk);
    for (std::size_t i = 0; i < 4; ++i) {
      if (i != winner) s->drop(candidates[i]);
    }
    trunk = candidates[winner];
    kept.push_back(news[winner][0]);
    const std::uint64_t before = s->evaluations();
    s->truncate(trunk, kept.size());
    EXPECT_EQ(s->evaluations(), before);
    EXPECT_EQ(s->tokens(trunk), kept);
    EXPECT_EQ(s->capacity().free_cells, 60 - kept.size());
  }
  expect_right(feed(*s, trunk, some(9, 1)), kept + some(9, 1), "after four commits");
}

TEST_P(SessionContract, TooManyBranches) {
  const auto s = session(2, 20);
  const BranchId a = s->open();
  feed(*s, a, some(1, 2));
  const BranchId b = s->fork(a);
  expect_refused(*s, {a, b}, ErrorKind::capacity, [&] { s->open(); });
  expect_refused(*s, {a, b}, ErrorKind::capacity, [&] { s->fork(a); });
  s->drop(b);
  expect_right(feed(*s, s->fork(a), some(2, 2)), some(1, 2) + some(2, 2), "after the refusal");
}

TEST_P(SessionContract, TooManyCells) {
  const auto s = session(3, 10);
  const BranchId a = s->open();
  const Tokens x = some(1, 4), four = some(2, 4), three = some(3, 3), seven = some(4, 7);
  feed(*s, a, x);
  const BranchId b = s->fork(a);
  expect_refused(*s, {a, b}, ErrorKind::capacity, [&] {
    s->forward(std::vector<Feed>{{a, four}, {b, three}});
  });
  expect_refused(*s, {a, b}, ErrorKind::capacity, [&] { feed(*s, a, seven); });
  const auto full =
      s->forward(std::vector<Feed>{{a, three, kAll}, {b, three, kAll}});  // to the last
  expect_right(full[0], x + three, "in a full session");
  expect_right(full[1], x + three, "in a full session");
  EXPECT_EQ(s->capacity().free_cells, 0u);
  expect_refused(*s, {a, b}, ErrorKind::capacity, [&] { feed(*s, a, {0}); });
  s->truncate(b, 5);
  const Output after = feed(*s, b, {0});
  expect_right(after, s->tokens(b), "after room was made");
}

TEST_P(SessionContract, MalformedCallsChangeNothing) {
  const auto s = session(4, 50);
  const BranchId a = s->open(), b = s->open(), dead = s->open();
  const Tokens x = some(1, 3), none;
  const Tokens low{0, -1}, high{0, static_cast<Token>(model_->vocabulary())};
  feed(*s, a, x);
  s->drop(dead);
  const auto refused = [&](const std::vector<Feed>& feeds) {
    expect_refused(*s, {a, b}, ErrorKind::usage, [&] { s->forward(feeds); });
  };
  refused({{a, x}, {b, none}});
  refused({{a, x}, {b, x}, {a, x}});
  refused({{a, x}, {dead, x}});
  refused({{a, x}, {-1, x}});
  refused({{a, x}, {4, x}});
  refused({{a, x}, {b, low}});
  refused({{a, x}, {b, high}});
  const auto usage = [&](const auto& call) { expect_refused(*s, {a, b}, ErrorKind::usage, call); };
  usage([&] { s->truncate(a, 4); });
  usage([&] { s->truncate(dead, 0); });
  usage([&] { s->drop(dead); });
  usage([&] { s->fork(dead); });
  usage([&] { s->tokens(dead); });
  usage([&] { s->length(dead); });
  expect_right(feed(*s, a, x), x + x, "after the refusals");
}

TEST_P(SessionContract, ASessionOutlivesTheHandleOfItsModel) {
  const auto s = session();
  const Tokens x = some(1, 3);
  const Output before = alone(x);
  const std::size_t vocabulary = model_->vocabulary();
  model_.reset();
  EXPECT_EQ(s->model().vocabulary(), vocabulary);
  EXPECT_EQ(feed(*s, s->open(), x).logits, before.logits);
}

TEST_P(SessionContract, SessionsOfOneModelAreIndependentOnManyThreads) {
  constexpr std::uint32_t kThreads = 4;
  const Tokens prefix = some(1, 3);
  std::vector<std::vector<Output>> outputs(kThreads);
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        const auto s = session(2, 30);
        const BranchId a = s->open();
        outputs[t].push_back(feed(*s, a, prefix));
        const BranchId b = s->fork(a);
        for (std::uint32_t step = 0; step < 5; ++step) {
          outputs[t].push_back(feed(*s, b, some(100 * t + step, 1)));
        }
      });
    }
  }
  for (std::uint32_t t = 0; t < kThreads; ++t) {
    Tokens fed = prefix;
    expect_right(outputs[t][0], fed, "prefix");
    for (std::uint32_t step = 0; step < 5; ++step) {
      fed = fed + some(100 * t + step, 1);
      expect_right(outputs[t][step + 1], fed, "thread " + std::to_string(t));
    }
  }
}

TEST_P(SessionContract, BranchesDropThemselves) {
  const auto s = session(3, 20);
  {
    Branch a = Branch::open(*s);
    feed(*s, a.id(), some(1, 4));
    Branch b = a.fork();
    EXPECT_EQ(b.length(), 4u);
    b = std::move(a);  // drops the fork
    EXPECT_FALSE(a);   // NOLINT: what a moved-from branch is, is the point
    EXPECT_EQ(s->capacity().free_branches, 2u);
    b.truncate(1);
    EXPECT_EQ(s->capacity().free_cells, 19u);
  }
  EXPECT_EQ(s->capacity().free_branches, 3u);
  EXPECT_EQ(s->capacity().free_cells, 20u);
}

TEST_P(SessionContract, TextOfAModelRoundTrips) {
  const Tokens x = some(3, 6);
  const std::string text = model_->text(x, false);
  EXPECT_EQ(model_->text(model_->tokenize(text, false), false), text);
  EXPECT_FALSE(model_->identity().empty());
  EXPECT_EQ(model_->identity(), GetParam().model()->identity());
}

}  // namespace tq::contract
