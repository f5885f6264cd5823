#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "transferq/core/error.hpp"
#include "transferq/engine/tabular/model.hpp"

namespace tq::tabular {
namespace {

using Tokens = std::vector<Token>;

const Table kTable{{{}, {0.1, 0.7, 0.2}}, {{0}, {0.5, 0.5, 0.0}}, {{0, 1}, {0.25, 0.25, 0.5}}};
constexpr double kNever = -std::numeric_limits<double>::infinity();

template <typename Call>
std::string message(ErrorKind kind, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "no error";
}

std::vector<double> logits_after(const TabularModel& model, const Tokens& tokens) {
  const auto session = model.open_session({});
  const Feed feed{session->open(), tokens, Want::logits};
  return session->forward({&feed, 1})[0].logits;
}

TEST(TabularModel, LogitsAreLogProbabilitiesToTheBit) {
  const TabularModel model(3, kTable, {.end = 2});
  EXPECT_EQ(logits_after(model, {0}), (std::vector<double>{std::log(0.5), std::log(0.5), kNever}));
  EXPECT_EQ(logits_after(model, {0, 1}),
            (std::vector<double>{std::log(0.25), std::log(0.25), std::log(0.5)}));
}

TEST(TabularModel, UniformAfterAPrefixWithoutARow) {
  const TabularModel model(3, kTable);
  EXPECT_EQ(logits_after(model, {0, 1, 2}), std::vector<double>(3, -std::log(3.0)));
  const TabularModel begins(3, kTable, {.begin = true});
  std::vector<double> uniform(3, -std::log(3.0));
  uniform.push_back(kNever);
  EXPECT_EQ(logits_after(begins, {1}), uniform);
}

TEST(TabularModel, TheBeginTokenMakesAnEmptyPromptAndIsNeverPredicted) {
  const TabularModel model(3, kTable, {.end = 2, .begin = true});
  EXPECT_EQ(model.vocabulary(), 4u);
  EXPECT_EQ(model.begin(), Token{3});
  EXPECT_EQ(model.tokenize("", true), Tokens{3});
  EXPECT_EQ(model.tokenize("0.1", true), (Tokens{3, 0, 1}));
  EXPECT_EQ(model.tokenize("0.1", false), (Tokens{0, 1}));
  EXPECT_EQ(model.piece(3, true), "");
  EXPECT_EQ(logits_after(model, {3}),
            (std::vector<double>{std::log(0.1), std::log(0.7), std::log(0.2), kNever}));
  EXPECT_EQ(logits_after(model, {3, 0}), logits_after(model, {0}));
  EXPECT_FALSE(TabularModel(3, kTable).begin().has_value());
}

TEST(TabularModel, TextRoundTrips) {
  const TabularModel model(3, kTable, {.end = 2});
  EXPECT_EQ(model.tokenize("", true), Tokens{});
  EXPECT_EQ(model.tokenize("0.1", true), (Tokens{0, 1}));
  EXPECT_EQ(model.text(Tokens{0, 1, 2}, false), "012");
  EXPECT_EQ(model.tokenize("012", false), (Tokens{0, 1, 2}));

  const TabularModel big(12, {{{}, std::vector<double>(12, 1.0 / 12)}});
  const Tokens tokens{11, 1, 0, 10};
  EXPECT_EQ(big.text(tokens, false), "11.1.0.10.");
  EXPECT_EQ(big.tokenize(big.text(tokens, false), false), tokens);
}

TEST(TabularModel, TextThatIsNoTokens) {
  const TabularModel model(3, kTable);
  for (const std::string text : {"3", "a", "0 1", "-1", "0.\n"}) {
    EXPECT_NE(message(ErrorKind::input, [&] { model.tokenize(text, true); }).find("from 0 to 2"),
              std::string::npos);
  }
  message(ErrorKind::input, [] { TabularModel(12, {}).tokenize("99999999999999999999", true); });
  EXPECT_NE(message(ErrorKind::usage, [&] { model.piece(3, true); }).find("3"), std::string::npos);
}

TEST(TabularModel, IdentityIsTheTable) {
  const TabularModel model(3, kTable, {.name = "a", .end = 2});
  Table other = kTable;
  other[{0}] = {0.5 - 1e-9, 0.5 + 1e-9, 0.0};
  EXPECT_EQ(model.identity(), TabularModel(3, kTable, {.name = "b", .end = 2}).identity());
  EXPECT_NE(model.identity(), TabularModel(3, other, {.end = 2}).identity());
  EXPECT_NE(model.identity(), TabularModel(3, kTable, {.end = 1}).identity());
  EXPECT_EQ(model.vocabulary_identity(), TabularModel(3, other, {.end = 2}).vocabulary_identity());
  EXPECT_NE(model.vocabulary_identity(), TabularModel(3, kTable).vocabulary_identity());
  EXPECT_TRUE(model.is_end(2));
  EXPECT_FALSE(model.is_end(1));
  EXPECT_FALSE(TabularModel(3, kTable).is_end(kNoToken));
}

TEST(TabularModel, RefusesWhatItHasNot) {
  const TabularModel model(3, kTable);
  const std::vector<Message> chat{{"user", "0"}};
  EXPECT_NE(message(ErrorKind::model, [&] { model.apply_chat_template(chat); }).find("raw"),
            std::string::npos);
  SessionOptions options;
  options.adapter.lora = "some.gguf";
  message(ErrorKind::model, [&] { model.open_session(options); });
}

TEST(TabularModel, MalformedTables) {
  const auto complaint = [](const Table& table) {
    return message(ErrorKind::input, [&] { TabularModel(2, table); });
  };
  EXPECT_NE(complaint({{{0, 1}, {1.0}}}).find("'0.1' has 1 prob"), std::string::npos);
  EXPECT_NE(complaint({{{0}, {0.5, 0.4}}}).find("sums to 0.9"), std::string::npos);
  EXPECT_NE(complaint({{{}, {1.5, -0.5}}}).find("-0.5"), std::string::npos);
  EXPECT_NE(complaint({{{}, {std::nan(""), 1}}}).find("nan"), std::string::npos);
  EXPECT_NE(complaint({{{2}, {0.5, 0.5}}}).find("token 2"), std::string::npos);
  message(ErrorKind::usage, [] { TabularModel(0, {}); });
  message(ErrorKind::usage, [] { TabularModel(2, {}, {.end = 2}); });
}

}  // namespace
}  // namespace tq::tabular
