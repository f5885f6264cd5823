// A reward whose base is of another family than the policy: SmolLM2 decodes and Gemma 3 scores, and
// the other way round. A draft scored through the prefixes that are held equals the whole text
// evaluated from nothing; what is evaluated is what differs; and special tokens, of either, that
// stand in a text are text. On 32-bit weights and memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "real_models.hpp"
#include "tests/reward/tiny_head.hpp"
#include "transferq/decode/factory.hpp"
#include "transferq/eval/generator.hpp"
#include "transferq/reward/linear_head.hpp"

namespace tq {
namespace {

using testing::Tokens;
using testing::operator+;

struct Models {
  std::string policy, base;
};

void PrintTo(const Models& models, std::ostream* out) { *out << models.base; }

// A head whose rewards spread by about one, as fitted ones do.
HeadFile unit_head(const Model& base, const std::string& text) {
  HeadFile head = testing::random_head(base, 1, text);
  const Tokens probe = base.tokenize("A fine day to go out and see the world.", true);
  double norm = 0;
  for (const float h : testing::evaluate(base, probe).hidden) norm += double{h} * double{h};
  for (float& w : head.weights) w /= static_cast<float>(std::sqrt(norm / 12));
  return head;
}

// Passes on what another reward scores, and keeps what it was asked.
class Recording final : public Reward {
 public:
  explicit Recording(std::unique_ptr<Reward> inner) : inner_(std::move(inner)) {}
  const RewardInfo& info() const override { return inner_->info(); }
  std::unique_ptr<Scorer> open(const Prompt& prompt, SessionPool& sessions,
                               const Workload& work) const override {
    struct Recorder final : Scorer {
      Recorder(const Recording& recording, std::unique_ptr<Scorer> scorer)
          : owner(recording), inner(std::move(scorer)) {}
      bool reads(const Stream& stream) const override { return inner->reads(stream); }
      std::vector<ModelCost> costs() const override { return inner->costs(); }
      std::vector<double> compute(std::span<const Draft> drafts) override {
        auto scores = inner->score(drafts);
        for (std::size_t i = 0; i < drafts.size(); ++i) {
          owner.seen.emplace_back(drafts[i].text, scores[i]);
        }
        return scores;
      }
      const Recording& owner;
      std::unique_ptr<Scorer> inner;
    };
    return std::make_unique<Recorder>(*this, inner_->open(prompt, sessions, work));
  }
  mutable std::vector<std::pair<std::string, double>> seen;

 private:
  std::unique_ptr<Reward> inner_;
};

class OtherTokenizer : public ::testing::TestWithParam<Models> {
 protected:
  OtherTokenizer() {
    for (const std::string text : {"conversation", "response"}) {
      write_head(file(text), unit_head(*base_, text));
    }
  }
  std::filesystem::path file(const std::string& text) const { return folder_ / (text + ".gguf"); }
  std::unique_ptr<Reward> reward(const std::string& text) const {
    return make_linear_head(file(text), Policy(base_, Format::chat));
  }
  // What a head reads in front of the response.
  Tokens before(const std::string& text) const {
    return text == "conversation" ? Policy(base_, Format::chat).encode(prompt_)
                                  : base_->tokenize("", true);
  }
  double from_nothing(const std::string& text, const Tokens& tokens) const {
    return testing::head_value(read_head(file(text)), *base_, tokens);
  }

  testing::TemporaryFolder folder_;
  std::shared_ptr<const Model> policy_ = testing::real_model(GetParam().policy);
  std::shared_ptr<const Model> base_ = testing::real_model(GetParam().base);
  Prompt prompt_ = make_prompt("0", "Write about a day at the sea.");
};

Draft draft(const std::string& text) {
  Draft out;
  out.text = text;
  return out;
}

TEST_P(OtherTokenizer, DecodingScoresAsFromNothing) {
  const auto recording = std::make_shared<Recording>(reward("conversation"));
  DecoderOptions options;
  options.name = "tq";
  options.top_k = 3;
  options.horizon = 6;
  const tq::Setup setup{Policy(policy_, Format::chat),
                        std::nullopt,
                        recording,
                        make_decoder(options, policy_->vocabulary()),
                        6,
                        1};
  SessionOptions session;
  session.cache = CacheType::f32;
  const Generated g = Worker(setup, session).generate(prompt_);
  std::vector<std::pair<std::string, double>> seen = recording->seen;
  // Three a step, but for the same text that two of them, or the step before, may have.
  ASSERT_GE(seen.size(), 2 * g.decoded.tokens.size());
  std::sort(seen.begin(), seen.end());
  const Tokens prompt = before("conversation");
  std::uint64_t whole = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const Tokens tokens = prompt + base_->tokenize(seen[i].first, false);
    whole += tokens.size();
    if (i > 0 && seen[i].first == seen[i - 1].first) continue;
    EXPECT_NEAR(seen[i].second, from_nothing("conversation", tokens), 1e-3) << seen[i].first;
  }
  EXPECT_EQ(g.evaluations.reward_models.count(base_->name()), 1u);
  EXPECT_GT(g.evaluations.reward, 0u);
  EXPECT_LT(g.evaluations.reward, whole / 2);
}

TEST_P(OtherTokenizer, OnlyWhatDiffersIsEvaluated) {
  const std::vector<std::vector<std::string>> calls{
      {"The rain", "The rain fell", "The sun"},
      {"The rain fell softly on the old harbour", "The rain fell hard"},   // grown
      {"The rain fell", "The rain fell hard"},                             // shrunk, and the same
      {"The rain fell hard upon us", "The rain stopped", "A storm rose"},  // branched
      {""},
  };
  for (const std::string text : {"conversation", "response"}) {
    const auto made = reward(text);
    SessionPool pool(testing::session_of(1024, 32));
    const auto scorer = made->open(prompt_, pool, {64, 4, 16});
    std::vector<Tokens> held;
    std::uint64_t expected = 0;
    for (const auto& call : calls) {
      std::vector<Draft> drafts;
      std::vector<Tokens> sequences;
      for (const std::string& one : call) {
        drafts.push_back(draft(one));
        sequences.push_back(before(text) + base_->tokenize(one, false));
      }
      const auto scores = scorer->score(drafts);
      for (std::size_t i = 0; i < drafts.size(); ++i) {
        if (sequences[i].empty()) continue;  // an empty response read alone: the bias
        EXPECT_NEAR(scores[i], from_nothing(text, sequences[i]), 1e-3) << text << ": " << call[i];
      }
      // A node of the tree of all held and new sequences, for each token that is new; and the last
      // token of a sequence again where it was only passed through, as its state was not kept.
      const auto common = [](const Tokens& a, const Tokens& b) {
        return static_cast<std::size_t>(
            std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
      };
      std::vector<Tokens> known = held;
      std::uint64_t least = 0;
      for (const Tokens& s : sequences) {
        std::size_t kept = 0;
        for (const Tokens& k : known) kept = std::max(kept, common(k, s));
        least += s.size() - kept;
        known.push_back(s);
      }
      const std::uint64_t all = scorer->prompt_evaluations() + scorer->evaluations();
      EXPECT_GE(all, expected + least) << text << ": " << call.front();
      // Sequences that part behind what all share are evaluated side by side: a few tokens twice.
      EXPECT_LE(all, expected + least + 4 * sequences.size()) << text << ": " << call.front();
      expected = all;
      held = sequences;
    }
  }
}

TEST_P(OtherTokenizer, SpecialTokensInATextAreText) {
  const std::vector<std::string> texts{"Fine.<|im_end|>\n<|im_start|>user\nMore?",
                                       "Fine.<end_of_turn>\n<start_of_turn>user\nMore?",
                                       "Fine.<eos><bos><|endoftext|><pad>", "<eos>"};
  for (const std::string text : {"conversation", "response"}) {
    const auto made = reward(text);
    for (const std::string& written : texts) {
      const Tokens plain = base_->tokenize(written, false);
      EXPECT_EQ(base_->text(plain, false), written);  // special tokens have no text
      SessionPool pool(testing::session_of(1024, 32));
      const auto scorer = made->open(prompt_, pool, {64, 4, 16});
      const double score = scorer->score(std::vector{draft(written)}).front();
      const Tokens whole = before(text) + plain;
      EXPECT_NEAR(score, from_nothing(text, whole), 1e-3) << text << ": " << written;
      EXPECT_EQ(scorer->prompt_evaluations() + scorer->evaluations(), whole.size());
    }
    // Of its own family they would be tokens, and the score another.
    const std::string own = GetParam().base.starts_with("gemma") ? texts[1] : texts[0];
    const Tokens plain = before(text) + base_->tokenize(own, false);
    const Tokens parsed =
        text == "response" ? base_->tokenize(own, true) : before(text) + base_->tokenize(own, true);
    EXPECT_GT(std::abs(from_nothing(text, plain) - from_nothing(text, parsed)), 0.01) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, OtherTokenizer,
                         ::testing::Values(Models{"smollm2", "gemma3-270m-f32"},
                                           Models{"gemma3-270m", "smollm2-f32"}),
                         [](const auto& pair) {
                           return pair.index == 0 ? "SmolLM2WithGemma" : "GemmaWithSmolLM2";
                         });

}  // namespace
}  // namespace tq
