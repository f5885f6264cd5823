#include "transferq/fit/control_fit.hpp"

#include "tests/policy/tiny_policy.hpp"
#include "transferq/engine/llama/control_file.hpp"
#include "transferq/engine/llama/layer_states.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::Tokens;

constexpr int kLayers = 3;

Unit pair_of(const std::string& prompt, const std::string& better, const std::string& worse) {
  Unit unit;
  unit.source = "data line 1";
  if (!prompt.empty()) unit.prompt = make_prompt("1", prompt);
  unit.responses = {better, worse};
  return unit;
}

class ControlFitTest : public ::testing::Test {
 protected:
  static ControlOptions options(bool mean, int first = 0, int last = 0, int threads = 1) {
    ControlOptions out;
    out.mean = mean;
    out.first_layer = first;
    out.last_layer = last;
    out.session = testing::session_of();
    out.session.threads = threads;
    return out;
  }
  std::vector<Contrast> systems(std::size_t count = 3) const {
    std::vector<Prompt> prompts;
    for (std::size_t i = 0; i < count; ++i) {
      prompts.push_back(make_prompt(std::to_string(i), "Say " + std::to_string(i)));
    }
    return contrast_systems(prompts, "Be good and kind", "Be bad", base_);
  }
  Adapter write(const ControlFit& fit, double scale = 1) {
    ControlFile file;
    for (const auto& [layer, direction] : fit.directions) file.directions[layer] = direction.values;
    Adapter adapter;
    adapter.control_vector = (tiny_ / "fit.gguf").string();
    adapter.control_scale = scale;
    write_control(adapter.control_vector, file);
    return adapter;
  }

  testing::TinyModels tiny_;
  const Policy base_{tiny_.load({.layers = kLayers}), Format::chat};
};

// Steered in the last layer alone, by one pair's difference at the last token, the negative text's
// next-token logits are the positive one's.
TEST_F(ControlFitTest, TheLastLayersDifferenceTurnsOneTextIntoTheOther) {
  const std::vector<Contrast> one = systems(1);
  const Tokens &positive = one[0].positive.tokens, &negative = one[0].negative.tokens;
  const ControlFit fit = fit_control(one, base_, options(false, kLayers - 1, kLayers - 1));
  const Model& model = base_.model();
  const auto wanted = testing::evaluate(model, positive).logits;
  const auto plain = testing::evaluate(model, negative).logits;
  const auto steered = testing::evaluate(model, negative, write(fit)).logits;
  EXPECT_GT(testing::distance(plain, wanted), 0.05);
  EXPECT_LT(testing::distance(steered, wanted), 2e-3);
  EXPECT_EQ(testing::evaluate(model, negative, write(fit, 0)).logits, plain);
  // And the other way round.
  EXPECT_LT(testing::distance(testing::evaluate(model, positive, write(fit, -1)).logits, plain),
            2e-3);
}

TEST_F(ControlFitTest, ADirectionIsTheMeanDifferenceOverTheRootOfTheLayersSteered) {
  const std::vector<Contrast> contrasts = systems();
  for (const bool mean : {false, true}) {
    const ControlFit fit = fit_control(contrasts, base_, options(mean));
    EXPECT_EQ(fit.layers, static_cast<std::size_t>(kLayers));
    EXPECT_EQ(fit.architecture, "llama");
    ASSERT_EQ(fit.directions.size(), 2u);  // layers 1 and 2
    llama::LayerReader reader(base_.shared_model(), testing::session_of(200));
    std::vector<double> sum(kLayers * reader.width(), 0.0);
    for (const Contrast& c : contrasts) {
      for (const auto& [text, sign] : {std::pair{&c.positive, 1.0}, {&c.negative, -1.0}}) {
        const auto states = reader.read(text->tokens, text->first);
        const auto& values = mean ? states.mean : states.last;
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += sign * double{values[i]} / 3;
      }
    }
    for (const auto& [layer, direction] : fit.directions) {
      double squares = 0;
      for (std::size_t j = 0; j < reader.width(); ++j) {
        const double expected = sum[static_cast<std::size_t>(layer) * reader.width() + j];
        EXPECT_NEAR(direction.values[j], expected / std::sqrt(2.0), 1e-3);
        squares += expected * expected;
      }
      EXPECT_NEAR(direction.length, std::sqrt(squares), 5e-3);
    }
  }
}

TEST_F(ControlFitTest, ThreadsChangeNothing) {
  const std::vector<Contrast> contrasts = systems(5);
  std::size_t done = 0;
  const ControlFit one = fit_control(contrasts, base_, options(true), {}, [&] { ++done; });
  EXPECT_EQ(done, 5u);
  const ControlFit two = fit_control(contrasts, base_, options(true, 0, 0, 2));
  EXPECT_EQ(one.evaluations, two.evaluations);
  for (const auto& [layer, direction] : one.directions) {
    EXPECT_EQ(direction.values, two.directions.at(layer).values);
  }
}

TEST_F(ControlFitTest, WhatCanNotBeFittedIsAnError) {
  const std::vector<Contrast> contrasts = systems(1);
  expect_error(ErrorKind::usage, {"2-3", "1-2"},
               [&] { fit_control(contrasts, base_, options(true, 2, 3)); });
  expect_error(ErrorKind::usage, {"2-1"},
               [&] { fit_control(contrasts, base_, options(true, 2, 1)); });
  const Policy flat(tiny_.load({.layers = 1}), Format::chat);
  expect_error(ErrorKind::model, {"one layer"},
               [&] { fit_control(contrasts, flat, options(true)); });
  const Policy small(tiny_.load({.layers = 2, .context = 20}), Format::chat);
  expect_error(ErrorKind::input, {"prompt '0'", "context 20"},
               [&] { fit_control(contrasts, small, options(true)); });
  expect_error(ErrorKind::input, {"no pair"}, [&] { fit_control({}, base_, options(true)); });
  std::vector<Contrast> same = contrasts;
  same[0].negative = same[0].positive;
  expect_error(ErrorKind::input, {"no difference"},
               [&] { fit_control(same, base_, options(true)); });
  std::stop_source stop;
  stop.request_stop();
  expect_error(ErrorKind::interrupted, {"interrupted"},
               [&] { fit_control(contrasts, base_, options(true), stop.get_token()); });
}

TEST_F(ControlFitTest, SystemPromptsAreReadAtWhatBothEndWith) {
  const std::vector<Contrast> contrasts = systems(1);
  const auto& [source, positive, negative] = contrasts.at(0);
  EXPECT_EQ(source, "prompt '0'");
  EXPECT_EQ(base_.model().text({positive.tokens}, true),
            "<|im_start|>system\nBe good and kind<|im_end|>\n<|im_start|>user\nSay 0<|im_end|>\n"
            "<|im_start|>assistant\n");
  const auto end = [&](const ContrastText& text) {
    return Tokens(text.tokens.begin() + static_cast<long>(text.first), text.tokens.end());
  };
  EXPECT_EQ(end(positive), end(negative));
  EXPECT_EQ(base_.model().text(end(positive), true).find("<|im_end|>\n<|im_start|>user\nSay 0"),
            0u);
  EXPECT_NE(positive.tokens[positive.first - 1], negative.tokens[negative.first - 1]);
}

TEST_F(ControlFitTest, NoSystemPromptAndAPromptsOwn) {
  Prompt own = make_prompt("own", "Hi");
  own.messages.insert(own.messages.begin(), {"system", "Be brief"});
  const std::vector<Prompt> prompts{make_prompt("plain", "Hi"), own};
  const auto contrasts = contrast_systems(prompts, "Be good", "", base_);
  ASSERT_EQ(contrasts.size(), 2u);
  EXPECT_EQ(contrasts[0].negative.tokens, base_.encode(prompts[0]));
  EXPECT_EQ(contrasts[1].negative.tokens, base_.encode(own));
  const std::string text = base_.model().text({contrasts[1].positive.tokens}, true);
  EXPECT_EQ(text.find("<|im_start|>system\nBe good\n\nBe brief<|im_end|>"), 0u);
  expect_error(ErrorKind::usage, {"the same"},
               [&] { contrast_systems(prompts, "Be good", "Be good", base_); });
}

TEST_F(ControlFitTest, ResponsesAreReadBehindTheirPrompt) {
  std::vector<Unit> units{pair_of("Say", "good good", "bad"), pair_of("", "good", "bad bad")};
  const auto read = contrast_responses(units, base_, 100);
  ASSERT_EQ(read.contrasts.size(), 2u);
  EXPECT_EQ(read.cut + read.left_out + read.identical, 0u);
  const Contrast& with = read.contrasts[0];
  EXPECT_EQ(with.positive.first, base_.encode(make_prompt("", "Say")).size());
  EXPECT_EQ(with.negative.first, with.positive.first);
  EXPECT_EQ(base_.model().text({with.positive.tokens}, true),
            base_.render(make_prompt("", "Say")) + "good good");
  EXPECT_EQ(read.contrasts[1].positive.first, 0u);
  EXPECT_EQ(base_.model().text({read.contrasts[1].negative.tokens}, true), "bad bad");

  const Policy begins(tiny_.load({.begins = true}), Format::chat);
  const auto framed = contrast_responses(std::span(units).subspan(1), begins, 100);
  EXPECT_EQ(framed.contrasts[0].positive.first, 1u);  // behind the beginning of text
}

TEST_F(ControlFitTest, LongAndEqualResponsesAreCounted) {
  const std::vector<Unit> units{pair_of("", "xyzxyzxyz a", "xyzxyzxyz b"),
                                pair_of("", "axyzxyzxyz", "bxyz"),
                                pair_of("a long prompt", "a", "b")};
  const auto read = contrast_responses(units, base_, 8);
  EXPECT_EQ(read.identical, 1u);
  EXPECT_EQ(read.cut, 3u);
  EXPECT_EQ(read.left_out, 1u);
  ASSERT_EQ(read.contrasts.size(), 1u);
  EXPECT_EQ(read.contrasts[0].positive.tokens.size(), 8u);
  Unit single = units[0];
  single.responses.pop_back();
  expect_error(ErrorKind::input, {"data line 1", "pairs"}, [&] {
    contrast_responses({&single, 1}, base_, 8);
  });
}

TEST_F(ControlFitTest, TheFingerprintIsOfWhatIsRead) {
  std::vector<Contrast> contrasts = systems();
  const std::string all = fingerprint(contrasts);
  EXPECT_EQ(all, fingerprint(systems()));
  EXPECT_NE(all, fingerprint(systems(2)));
  std::swap(contrasts[0].positive, contrasts[0].negative);
  EXPECT_NE(all, fingerprint(contrasts));
}

}  // namespace
}  // namespace tq
