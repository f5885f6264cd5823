// Gemma 3 270M: another tokenizer, template and attention than the default model's. Five of its six
// layers see the last 512 tokens alone; branches may yet be forked and cut anywhere, because the
// whole past is kept. On 32-bit weights, as in other_tokenizer_test.cpp.
#include <gtest/gtest.h>

#include <cmath>

#include "real_models.hpp"
#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

using testing::Tokens;
using testing::operator+;

constexpr std::size_t kWindow = 512;
// The engine's GELU reads a table of 16-bit numbers, so rounding is felt; hidden values reach 50.
constexpr double kTolerance = 0.05;

double gap(const std::vector<float>& a, const std::vector<float>& b) {
  double out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    out = std::max(out, std::abs(double{a[i]} - double{b[i]}));
  }
  return out;
}

Output feed(Session& session, BranchId branch, const Tokens& tokens) {
  const Feed one{branch, tokens, Want::hidden};
  return session.forward({&one, 1}).front();
}

class Gemma : public ::testing::Test {
 protected:
  std::shared_ptr<const Model> model_ = testing::real_model("gemma3-270m-f32");

  // A text of so many tokens that says something new all along.
  Tokens long_text(std::size_t tokens) const {
    std::string text;
    for (std::size_t i = 0; i < tokens; ++i) {
      text += "Day " + std::to_string(i) + ": the ship saw " + std::to_string(i * i % 97) +
              " whales and sailed on. ";
    }
    Tokens out = model_->tokenize(text, true);
    out.resize(tokens);
    return out;
  }

  void expect_right(const Output& output, const Tokens& tokens, const std::string& where) const {
    const Output right = testing::evaluate(*model_, tokens);
    ASSERT_EQ(output.hidden.size(), right.hidden.size()) << where;
    EXPECT_LE(gap(output.hidden, right.hidden), kTolerance) << where;
  }
};

TEST_F(Gemma, TemplateIsTheEnginesOwn) {
  const Policy policy(model_, Format::chat, {}, "Be kind.");
  EXPECT_EQ(Policy(model_, Format::chat).render(make_prompt("0", "Hello <eos>")),
            "<start_of_turn>user\nHello <eos><end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(policy.render(make_prompt("0", "Hello")),
            "<start_of_turn>user\nBe kind.\n\nHello<end_of_turn>\n<start_of_turn>model\n");
  const Prompt turns{"0", {{"user", "Hi"}, {"assistant", "Hello!"}, {"user", "Bye"}}};
  const Tokens tokens = Policy(model_, Format::chat).encode(turns);
  EXPECT_EQ(model_->text(tokens, true),
            "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello!<end_of_turn>\n"
            "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(model_->text(tokens, false), "user\nHi\nmodel\nHello!\nuser\nBye\nmodel\n");
}

TEST_F(Gemma, EndOfTurnEndsAResponse) {
  for (const std::string end : {"<end_of_turn>", "<eos>"}) {
    const Tokens tokens = model_->tokenize(end, true);
    ASSERT_EQ(tokens.size(), 2u) << end;  // behind <bos>
    EXPECT_TRUE(model_->is_end(tokens.back())) << end;
    EXPECT_FALSE(model_->is_end(tokens.front())) << end;
  }
}

TEST_F(Gemma, BranchesBeyondTheWindow) {
  const Tokens text = long_text(kWindow + 100);
  const Tokens a = model_->tokenize(" The captain laughed.", false);
  const Tokens b = model_->tokenize(" It rained on the third day", false);
  const auto session = model_->open_session(testing::session_of(2 * kWindow, 8));
  const BranchId trunk = session->open();
  expect_right(feed(*session, trunk, text), text, "prefill");
  const BranchId left = session->fork(trunk), right = session->fork(trunk);
  const std::vector<Feed> feeds{{left, a, Want::hidden}, {right, b, Want::hidden}};
  const auto outputs = session->forward(feeds);
  expect_right(outputs[0], text + a, "left");
  expect_right(outputs[1], text + b, "right");
  // Cut to where the window had not yet moved on, then grown past it again.
  for (const std::size_t length : {kWindow + 3, kWindow - 50, std::size_t{20}}) {
    const BranchId cut = session->fork(left);
    session->truncate(cut, length);
    const Tokens kept(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(length));
    expect_right(feed(*session, cut, b), kept + b, "cut to " + std::to_string(length));
    session->drop(cut);
  }
  session->drop(trunk);
  session->drop(right);
  // The measure tells wrong from rounded: a text without its first sentence is far off.
  const Tokens late(text.begin() + 20, text.end());
  EXPECT_GT(gap(testing::evaluate(*model_, late).hidden, testing::evaluate(*model_, text).hidden),
            10 * kTolerance);
  expect_right(feed(*session, left, b), text + a + b, "the branch that is left");
}

}  // namespace
}  // namespace tq
