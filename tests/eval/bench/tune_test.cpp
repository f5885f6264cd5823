// What a tuning tries, that it takes nothing that computes something else, and what it takes.
#include "transferq/eval/bench/tune.hpp"

#include <gtest/gtest.h>

#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

// A model that is another one under flash attention: an engine with a broken kernel.
class Broken final : public Model {
 public:
  Broken(std::shared_ptr<const Model> good, std::shared_ptr<const Model> bad)
      : good_(std::move(good)), bad_(std::move(bad)) {}
  std::string name() const override { return good_->name(); }
  std::string identity() const override { return good_->identity(); }
  std::string vocabulary_identity() const override { return good_->vocabulary_identity(); }
  std::size_t vocabulary() const override { return good_->vocabulary(); }
  std::size_t hidden_size() const override { return good_->hidden_size(); }
  std::size_t context() const override { return good_->context(); }
  bool is_end(Token token) const override { return good_->is_end(token); }
  Token end() const override { return good_->end(); }
  std::vector<Token> tokenize(std::string_view text, bool special) const override {
    return good_->tokenize(text, special);
  }
  std::string piece(Token token, bool special) const override {
    return good_->piece(token, special);
  }
  std::string apply_chat_template(std::span<const Message> messages) const override {
    return good_->apply_chat_template(messages);
  }
  std::unique_ptr<Session> open_session(const SessionOptions& options) const override {
    return (options.flash == Flash::on ? bad_ : good_)->open_session(options);
  }

 private:
  std::shared_ptr<const Model> good_, bad_;
};

class TuneTest : public ::testing::Test {
 protected:
  static TuneResult tuned(const std::shared_ptr<const Model>& model, int threads) {
    BenchOptions options;
    options.session = testing::session_of();
    options.session.threads = threads;
    std::size_t shown = 0;
    TuneResult result = tune(Policy(model, Format::raw), make_prompt("a", std::string(200, 'a')),
                             {3, 2}, 12, options, [&](const TuneRow&) { ++shown; });
    EXPECT_EQ(shown, result.rows.size());
    return result;
  }
  testing::TinyModels tiny_;
};

TEST_F(TuneTest, TriesThreadsThenAttentionThenMicroBatches) {
  const TuneResult result = tuned(tiny_.load(), 2);
  std::vector<std::string> tried;
  for (const TuneRow& row : result.rows) {
    tried.push_back(row.what);
    EXPECT_GT(row.evaluations_a_second, 0);
    EXPECT_TRUE(row.right) << row.what << " differs by " << row.differs;
  }
  EXPECT_EQ(tried,
            (std::vector<std::string>{"threads 2", "threads 1", "flash attention off",
                                      "flash attention on", "micro-batch 128", "micro-batch 32"}));
  EXPECT_EQ(result.rows.front().differs, 0);
  // The best is one of those measured.
  for (const TuneRow& row : result.rows) {
    if (row.session.threads == result.best.threads && row.session.flash == result.best.flash &&
        row.session.micro_batch == result.best.micro_batch) {
      return;
    }
  }
  FAIL() << "the best was not measured";
}

TEST_F(TuneTest, WhatComputesSomethingElseIsNotTaken) {
  const auto broken = std::make_shared<Broken>(tiny_.load(), tiny_.load({.seed = 2}));
  const TuneResult result = tuned(broken, 1);
  for (const TuneRow& row : result.rows) {
    EXPECT_EQ(row.right, row.session.flash != Flash::on) << row.what;
    EXPECT_EQ(row.differs > kRounding, row.session.flash == Flash::on) << row.what;
  }
  EXPECT_NE(result.best.flash, Flash::on);
}

}  // namespace
}  // namespace tq
