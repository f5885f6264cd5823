#include "transferq/policy/stream.hpp"

#include <gtest/gtest.h>

#include <array>

#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

using testing::evaluate;
using testing::Tokens;
using testing::operator+;

class StreamTest : public ::testing::Test {
 protected:
  Tokens held(const Branch& branch) const { return session_->tokens(branch.id()); }

  const std::shared_ptr<const Model> model_ = testing::random_table(3, 6);
  const Policy policy_{model_, Format::raw};
  const std::unique_ptr<Session> session_ = model_->open_session(testing::session_of(50, 8));
};

TEST_F(StreamTest, EvaluatesNothingUntilAsked) {
  Stream stream(policy_, *session_, {0, 1});
  stream.append(2);
  EXPECT_EQ(session_->evaluations(), 0u);
  EXPECT_EQ(stream.prompt(), (Tokens{0, 1}));
}

TEST_F(StreamTest, StateIsTheModelsAfterAllTokens) {
  Stream stream(policy_, *session_, {0, 1});
  EXPECT_EQ(stream.state().logits, evaluate(*model_, {0, 1}).logits);
  EXPECT_EQ(stream.state().hidden, evaluate(*model_, {0, 1}).hidden);
  stream.append(2);
  stream.append(0);
  EXPECT_EQ(stream.state().logits, evaluate(*model_, {0, 1, 2, 0}).logits);
  EXPECT_EQ(held(stream.branch()), (Tokens{0, 1, 2, 0}));
}

TEST_F(StreamTest, AskingTwiceEvaluatesOnce) {
  Stream stream(policy_, *session_, {0, 1});
  stream.state();
  stream.state();
  stream.branch();
  EXPECT_EQ(session_->evaluations(), 2u);
}

TEST_F(StreamTest, ATokenAppendedLastCostsNothing) {
  Stream stream(policy_, *session_, {0, 1});
  stream.state();
  stream.append(2);
  EXPECT_EQ(stream.evaluations(), 0u);
  EXPECT_EQ(session_->evaluations(), 2u);
}

TEST_F(StreamTest, CountsThePromptApart) {
  Stream stream(policy_, *session_, {0, 1});
  stream.append(2);  // before the first evaluation: still no part of the prompt
  stream.state();
  EXPECT_EQ(stream.prompt_evaluations(), 2u);
  EXPECT_EQ(stream.evaluations(), 1u);
  stream.append(1);
  stream.state();
  EXPECT_EQ(stream.prompt_evaluations(), 2u);
  EXPECT_EQ(stream.evaluations(), 2u);
}

TEST_F(StreamTest, AdoptingCostsNothingAndEqualsAppending) {
  Stream adopting(policy_, *session_, {0, 1});
  Branch grown = adopting.branch().fork();
  const Token token = 2;
  const std::array<Feed, 1> feeds{Feed{grown.id(), {&token, 1}, Want::logits | Want::hidden}};
  Output output = session_->forward(feeds).front();
  const auto before = session_->evaluations();
  adopting.adopt(std::move(grown), std::move(output));
  Stream appending(policy_, *session_, {0, 1});
  appending.append(2);

  EXPECT_EQ(adopting.state().logits, evaluate(*model_, {0, 1, 2}).logits);
  EXPECT_EQ(held(adopting.branch()), (Tokens{0, 1, 2}));
  EXPECT_EQ(session_->evaluations(), before);
  EXPECT_EQ(adopting.evaluations(), 0u);
  EXPECT_EQ(adopting.state().logits, appending.state().logits);
  EXPECT_EQ(adopting.state().hidden, appending.state().hidden);
  adopting.append(0);
  appending.append(0);
  EXPECT_EQ(adopting.state().logits, appending.state().logits);
}

TEST_F(StreamTest, AdoptingDropsTheOldTrunk) {
  Stream stream(policy_, *session_, {0, 1});
  Branch grown = stream.branch().fork();
  EXPECT_EQ(session_->capacity().free_branches, 6u);
  stream.adopt(std::move(grown), stream.state());
  EXPECT_EQ(session_->capacity().free_branches, 7u);
}

TEST_F(StreamTest, ItsTrailIsTheStateBehindPromptAndEachToken) {
  const auto expect = [&](const Trail& trail, std::size_t length) {
    const Tokens text{0, 1, 2, 0, 2, 1};
    ASSERT_EQ(trail.length(), length);
    for (std::size_t i = 0; i < length; ++i) {
      const Tokens before(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(i + 2));
      EXPECT_EQ(*trail.states()[i], evaluate(*model_, before).hidden) << i;
    }
  };
  Stream stream(policy_, *session_, {0, 1});
  stream.keep_trail();
  expect(stream.trail(), 1);
  stream.append(2);
  expect(stream.trail(), 2);
  stream.append(0);
  stream.append(2);
  expect(stream.trail(), 4);  // of each of those that were evaluated in one go

  const auto feed = [&](Branch& branch) {
    const Token token = 1;
    const std::array<Feed, 1> feeds{Feed{branch.id(), {&token, 1}, Want::logits | Want::hidden}};
    return session_->forward(feeds).front();
  };
  Branch grown = stream.branch().fork();
  Output output = feed(grown);
  Trail trail = stream.trail();
  trail.append(output.hidden);
  stream.adopt(std::move(grown), output, trail);
  expect(stream.trail(), 5);
  stream.adopt(stream.branch().fork(), output);  // without: it is not known, nor what follows
  EXPECT_TRUE(stream.trail().empty());
  stream.append(0);
  EXPECT_TRUE(stream.trail().empty());

  Stream late(policy_, *session_, {0, 1});
  late.keep_trail();
  for (const Token token : {2, 0, 2, 1}) late.append(token);
  expect(late.trail(), 5);

  Stream other(policy_, *session_, {0, 1});
  other.state();
  other.keep_trail();  // too late
  other.append(2);
  EXPECT_TRUE(other.trail().empty());
}

TEST_F(StreamTest, DropsItsBranchAtTheEndOfItsLife) {
  { Stream(policy_, *session_, {0, 1}).state(); }
  EXPECT_EQ(session_->capacity().free_branches, 8u);
  EXPECT_EQ(session_->capacity().free_cells, 50u);
}

TEST(StreamOnLlama, AdoptingEqualsAppendingUpToRounding) {
  testing::TinyModels tiny;
  const Policy policy(tiny.load(), Format::chat);
  const auto session = policy.model().open_session(testing::session_of(256, 8));
  const Tokens prompt = policy.encode(make_prompt("a", "The good"));
  Stream stream(policy, *session, prompt);
  Branch grown = stream.branch().fork();
  const Token token = 100;
  const std::array<Feed, 1> feeds{Feed{grown.id(), {&token, 1}, Want::logits | Want::hidden}};
  Output output = session->forward(feeds).front();
  stream.adopt(std::move(grown), std::move(output));
  stream.append(101);
  const Output right = evaluate(policy.model(), prompt + Tokens{100, 101});
  EXPECT_LT(testing::distance(stream.state().logits, right.logits), 1e-4);
  EXPECT_EQ(stream.prompt_evaluations(), prompt.size());
  EXPECT_EQ(stream.evaluations(), 1u);
}

}  // namespace
}  // namespace tq
