// A learned value: what its two heads say of a state, its file, and which models it is for.
#include "transferq/value/learned.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

using testing::expect_error;

ValueFile some() {
  ValueFile file;
  file.name = "kind value";
  file.base_name = "tiny.gguf";
  file.base_identity = "abc";
  file.reward = "kindness";
  file.reward_identity = "def";
  file.provenance = "made by a test";
  file.weights = {0.5F, -1.25F, 2.0F};
  file.bias = 0.75;
  file.training = {"policy", "0123", "0.1.0", 0.1, ~0ULL - 1, 400, 100, 0.25, 0.5, 0.125, 1.5};
  return file;
}

ValueFile with_levels() {
  ValueFile file = some();
  file.levels = {-1.0F, 0.5F, 2.0F};
  file.level_biases = {0.1F, -0.2F, 0.3F};
  file.level_weights = {1, 0, -1, 0.5F, 0.25F, 0, -1, 2, 0.125F};
  return file;
}

const std::vector<float> kState{1.0F, 0.5F, -0.25F};

TEST(LearnedValueTest, TheMeanIsLinearInTheState) {
  EXPECT_DOUBLE_EQ(LearnedValue(some()).mean(kState), 0.5 - 0.625 - 0.5 + 0.75);
}

TEST(LearnedValueTest, TheSoftValueIsThatOfTheDistribution) {
  const LearnedValue value(with_levels());
  const std::vector<double> logits{0.1 + 1.0 + 0.25, -0.2 + 0.5 + 0.125, 0.3 - 1.0 + 1.0 - 0.03125};
  const std::vector<double> rewards{-1, 0.5, 2};
  double sum = 0, mean = 0;
  for (const double x : logits) sum += std::exp(x);
  for (std::size_t i = 0; i < 3; ++i) mean += std::exp(logits[i]) / sum * rewards[i];
  for (const double beta : {0.25, 1.0, 4.0}) {
    double tilted = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      tilted += std::exp(logits[i]) / sum * std::exp(rewards[i] / beta);
    }
    EXPECT_NEAR(value.soft(kState, beta), beta * std::log(tilted), 1e-6);
  }
  EXPECT_NEAR(value.soft(kState, 1e6), mean, 1e-5);  // beta to infinity
  EXPECT_NEAR(value.soft(kState, 1e-3), 2.0, 1e-2);  // and to 0: the best level
}

TEST(LearnedValueTest, TheFingerprintIsOfAllThatMattersForAValue) {
  const std::string plain = LearnedValue(some()).fingerprint();
  EXPECT_EQ(LearnedValue(some()).fingerprint(), plain);
  EXPECT_NE(LearnedValue(with_levels()).fingerprint(), plain);
  ValueFile other = some();
  other.bias = 0.5;
  EXPECT_NE(LearnedValue(other).fingerprint(), plain);
}

class ValueFileTest : public ::testing::Test {
 protected:
  testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "value.gguf";
};

TEST_F(ValueFileTest, ReadsWhatWasWritten) {
  for (const ValueFile& file : {some(), with_levels()}) {
    write_value(path_, file);
    const ValueFile back = read_value(path_);
    EXPECT_EQ(back.name, file.name);
    EXPECT_EQ(back.base_name, file.base_name);
    EXPECT_EQ(back.base_identity, file.base_identity);
    EXPECT_EQ(back.reward, file.reward);
    EXPECT_EQ(back.reward_identity, file.reward_identity);
    EXPECT_EQ(back.provenance, file.provenance);
    EXPECT_EQ(back.weights, file.weights);
    EXPECT_EQ(back.bias, file.bias);
    EXPECT_EQ(back.levels, file.levels);
    EXPECT_EQ(back.level_biases, file.level_biases);
    EXPECT_EQ(back.level_weights, file.level_weights);
    EXPECT_EQ(back.training.policy, "policy");
    EXPECT_EQ(back.training.data, "0123");
    EXPECT_EQ(back.training.program, "0.1.0");
    EXPECT_EQ(back.training.l2, 0.1);
    EXPECT_EQ(back.training.seed, ~0ULL - 1);
    EXPECT_EQ(back.training.fitted, 400u);
    EXPECT_EQ(back.training.held_out, 100u);
    EXPECT_EQ(back.training.correlation, 0.25);
    EXPECT_EQ(back.training.gain, 0.5);
    EXPECT_EQ(back.training.gain_one_step, 0.125);
    EXPECT_EQ(back.training.gain_best, 1.5);
  }
}

TEST_F(ValueFileTest, RefusesWhatIsNone) {
  const auto refused = [&](const std::vector<std::string>& words) {
    expect_error(ErrorKind::model, words, [&] { read_value(path_); });
  };
  refused({"value.gguf"});  // no file
  testing::TinyModels tiny;
  std::filesystem::copy_file(tiny.file(), path_);
  refused({"no learned value", "another GGUF file", "tq fit --value"});
  ValueFile wrong = with_levels();
  wrong.level_biases.pop_back();
  write_value(path_, wrong);
  refused({"its levels do not fit"});
}

TEST_F(ValueFileTest, BelongsToOneModel) {
  testing::TinyModels tiny;
  const auto model = tiny.load(), other = tiny.load({.seed = 2}),
             wide = tiny.load({.embedding = 64});
  ValueFile file = some();
  file.weights.assign(model->hidden_size(), 0.5F);
  file.base_name = model->name();
  file.base_identity = model->identity();
  const LearnedValue value(file);
  check_model(value, *model, false);
  expect_error(ErrorKind::model, {"kind value", "was fitted on", "force=1"},
               [&] { check_model(value, *other, false); });
  check_model(value, *other, true);
  expect_error(ErrorKind::model, {"reads 32 hidden values", "has 64"},
               [&] { check_model(value, *wide, true); });
}

}  // namespace
}  // namespace tq
