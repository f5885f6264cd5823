#include "transferq/engine/llama/layer_states.hpp"

#include "tests/engine/tiny_files.hpp"
#include "transferq/engine/llama/control_file.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/engine/llama/tiny_model.hpp"
#include "transferq/engine/tabular/model.hpp"

namespace tq::llama {
namespace {

using testing::expect_error;

using Tokens = std::vector<Token>;

constexpr int kLayers = 3;
constexpr std::size_t kWidth = 32;

class LayerStatesTest : public ::testing::Test {
 protected:
  static SessionOptions options(std::size_t outputs = 16) {
    SessionOptions out;
    out.cells = 200;
    out.branches = 1;
    out.threads = 1;
    out.cache = CacheType::f32;
    out.outputs = outputs;
    return out;
  }
  std::shared_ptr<const Model> load(int layers) const {
    const auto path = folder_ / ("tiny" + std::to_string(layers) + ".gguf");
    write_tiny_model(path, {.layers = layers});
    return load_model(path);
  }
  // After the final norm, at the last token.
  static std::vector<float> hidden_of(const Model& model, const Tokens& tokens) {
    const auto session = model.open_session(options());
    const Feed feed{session->open(), tokens, Want::hidden};
    return session->forward({&feed, 1}).front().hidden;
  }
  // The states at the last token, from nothing.
  LayerStates at_end(const Tokens& tokens, const Adapter& adapter = {}) const {
    SessionOptions session = options();
    session.adapter = adapter;
    return LayerReader(model_, session).read(tokens, tokens.size() - 1);
  }
  static std::span<const float> layer(const std::vector<float>& states, std::size_t number) {
    return std::span(states).subspan(number * kWidth, kWidth);
  }

  testing::TemporaryFolder folder_;
  std::shared_ptr<const Model> model_ = load(kLayers);
  Tokens text_ = model_->tokenize("the good and the bad are two", true);
};

double deviation(std::span<const float> x) {
  double squares = 0;
  for (const float v : x) squares += double{v} * v;
  return std::sqrt(squares / static_cast<double>(x.size()));
}

// A tiny model of N + 1 layers begins with the very weights of one with more, and its final hidden
// state is layer N's under the final norm: divided by its root mean square, times a gain for each
// channel that lies within 1/8 of 1 and is the same everywhere.
TEST_F(LayerStatesTest, AreTheHiddenStatesOfShallowerModels) {
  const Tokens other = model_->tokenize("Once upon a time", true);
  std::vector<double> gain;
  for (int layers = 1; layers <= kLayers; ++layers) {
    const auto shallow = load(layers);
    for (const Tokens& tokens : {text_, other}) {
      const LayerStates read = at_end(tokens);
      ASSERT_EQ(read.layers, static_cast<std::size_t>(kLayers));
      ASSERT_EQ(read.width, kWidth);
      const auto state = layer(read.last, static_cast<std::size_t>(layers - 1));
      const auto hidden = hidden_of(*shallow, tokens);
      const double scale = deviation(state);
      for (std::size_t j = 0; j < kWidth; ++j) {
        const double plain = state[j] / scale;
        EXPECT_NEAR(hidden[j], plain, std::abs(plain) / 8 + 1e-4);
        if (gain.size() < kWidth) gain.push_back(hidden[j] / plain);
        EXPECT_NEAR(hidden[j], plain * gain[j], 2e-3) << layers << " " << j;
      }
    }
  }
}

TEST_F(LayerStatesTest, TheMeanIsOverTheTokensThatWereRead) {
  for (const std::size_t outputs : {1, 2, 64}) {
    LayerReader reader(model_, options(outputs));
    for (const std::size_t first : {std::size_t{0}, std::size_t{3}, text_.size() - 1}) {
      std::vector<double> sum(kLayers * kWidth, 0.0);
      for (std::size_t end = first + 1; end <= text_.size(); ++end) {
        const LayerStates one = at_end({text_.begin(), text_.begin() + static_cast<long>(end)});
        EXPECT_EQ(one.last, one.mean);
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += double{one.last[i]};
      }
      reader.forget();
      const LayerStates read = reader.read(text_, first);
      for (std::size_t i = 0; i < sum.size(); ++i) {
        ASSERT_NEAR(read.mean[i], sum[i] / static_cast<double>(text_.size() - first), 2e-3);
      }
    }
  }
}

TEST_F(LayerStatesTest, WhatIsSharedAheadIsEvaluatedOnce) {
  LayerReader reader(model_, options());
  const std::size_t n = text_.size();
  reader.read(text_, n - 2);
  EXPECT_EQ(reader.evaluations(), n);
  Tokens other = text_;
  other.back() = 3 + 'x';
  const LayerStates held = reader.read(other, n - 2);
  EXPECT_EQ(reader.evaluations(), n + 2);
  reader.forget();
  const LayerStates fresh = reader.read(other, n - 2);
  EXPECT_EQ(reader.evaluations(), 2 * n + 2);
  for (std::size_t i = 0; i < held.mean.size(); ++i) {
    ASSERT_NEAR(held.mean[i], fresh.mean[i], 2e-3);
  }
}

// direction.N is added to layer N's state, times the scale, and to no state before it.
TEST_F(LayerStatesTest, ShowWhereAControlVectorIsAdded) {
  for (const int number : {1, 2}) {
    const auto path = folder_ / ("control" + std::to_string(number) + ".gguf");
    ControlFile control;
    for (std::size_t j = 0; j < kWidth; ++j) {
      control.directions[number].push_back(static_cast<float>(j) * 0.125F - 2);
    }
    write_control(path, control);
    const LayerStates plain = at_end(text_);
    for (const double scale : {0.0, 0.5}) {
      Adapter adapter;
      adapter.control_vector = path.string();
      adapter.control_scale = scale;
      const LayerStates moved = at_end(text_, adapter);
      for (int l = 0; l <= number; ++l) {
        const auto was = layer(plain.last, static_cast<std::size_t>(l));
        const auto is = layer(moved.last, static_cast<std::size_t>(l));
        for (std::size_t j = 0; j < kWidth; ++j) {
          const double added = l == number ? scale * control.directions[number][j] : 0;
          EXPECT_NEAR(is[j], was[j] + added, 1e-4) << "layer " << l;
        }
      }
    }
  }
}

TEST_F(LayerStatesTest, KnowTheArchitecture) {
  EXPECT_EQ(LayerReader(model_, options()).architecture(), "llama");
}

TEST_F(LayerStatesTest, BadReadsAreErrors) {
  LayerReader reader(model_, options());
  expect_error(ErrorKind::usage, {"no token"}, [&] { reader.read(text_, text_.size()); });
  expect_error(ErrorKind::usage, {"no token"}, [&] { reader.read({}, 0); });
  expect_error(ErrorKind::capacity, {"201", "200"}, [&] { reader.read(Tokens(201, 5), 0); });
  const std::shared_ptr<const Model> table = std::make_shared<tabular::TabularModel>(
      4, tabular::Table{}, tabular::TabularOptions{.name = "table"});
  expect_error(ErrorKind::model, {"table", "GGUF"}, [&] { LayerReader(table, options()); });
}

}  // namespace
}  // namespace tq::llama
