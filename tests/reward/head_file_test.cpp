#include "transferq/engine/llama/head_file.hpp"

#include <gtest/gtest.h>

#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

using testing::expect_error;

class HeadFileTest : public ::testing::Test {
 protected:
  static HeadFile some() {
    HeadFile head;
    head.name = "kindness";
    head.base_name = "tiny.gguf";
    head.base_identity = "abc";
    head.text = "conversation";
    head.pooling = "last";
    head.provenance = "made by a test, d\xC3\xA9j\xC3\xA0";
    head.weights = {0.5F, -1.25F, 3e-20F};
    head.bias = 0.75;
    return head;
  }
  // The file with `from` replaced by `to`, of the same size.
  void patch(const std::string& from, const std::string& to) {
    write_head(path_, some());
    std::string bytes = testing::read_all(path_);
    const std::size_t at = bytes.find(from);
    ASSERT_NE(at, std::string::npos);
    bytes.replace(at, to.size(), to);
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  void expect_refused(const std::vector<std::string>& words) {
    expect_error(ErrorKind::model, words, [&] { read_head(path_); });
  }

  testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "head.gguf";
};

TEST_F(HeadFileTest, ReadsWhatWasWritten) {
  HeadFile head = some();
  for (const bool calibrated : {false, true}) {
    if (calibrated) head.calibration = Calibration{-1.5, 2.25};
    write_head(path_, head);
    const HeadFile back = read_head(path_);
    EXPECT_EQ(back.name, head.name);
    EXPECT_EQ(back.base_name, head.base_name);
    EXPECT_EQ(back.base_identity, head.base_identity);
    EXPECT_EQ(back.text, head.text);
    EXPECT_EQ(back.pooling, head.pooling);
    EXPECT_EQ(back.provenance, head.provenance);
    EXPECT_EQ(back.weights, head.weights);
    EXPECT_EQ(back.bias, head.bias);
    ASSERT_EQ(back.calibration.has_value(), calibrated);
    if (calibrated) {
      EXPECT_EQ(back.calibration->mean, -1.5);
      EXPECT_EQ(back.calibration->spread, 2.25);
    }
  }
}

TEST_F(HeadFileTest, ReadsHowItWasMade) {
  HeadFile head = some();
  head.calibration = Calibration{-1.5, 2.25, -7.5, 3.5};
  head.training = HeadTraining{"raw", "pairwise", "0123abcd", "0.1.0", 1e-3, ~0ULL - 1,
                               1600,  400,        0.675,      0.627,   0.719};
  write_head(path_, head);
  const HeadFile back = read_head(path_);
  ASSERT_TRUE(back.calibration);
  EXPECT_EQ(back.calibration->low, -7.5);
  EXPECT_EQ(back.calibration->high, 3.5);
  ASSERT_TRUE(back.training);
  EXPECT_EQ(back.training->format, "raw");
  EXPECT_EQ(back.training->loss, "pairwise");
  EXPECT_EQ(back.training->data, "0123abcd");
  EXPECT_EQ(back.training->program, "0.1.0");
  EXPECT_EQ(back.training->l2, 1e-3);
  EXPECT_EQ(back.training->seed, ~0ULL - 1);
  EXPECT_EQ(back.training->fitted, 1600u);
  EXPECT_EQ(back.training->held_out, 400u);
  EXPECT_EQ(back.training->accuracy, 0.675);
  EXPECT_EQ(back.training->accuracy_low, 0.627);
  EXPECT_EQ(back.training->accuracy_high, 0.719);
}

TEST_F(HeadFileTest, AHeadWithoutThatIsReadAsWell) {
  write_head(path_, some());
  EXPECT_FALSE(read_head(path_).training);
  HeadFile head = some();
  head.calibration = Calibration{1, 2};
  write_head(path_, head);
  EXPECT_FALSE(read_head(path_).calibration->low);
  EXPECT_FALSE(read_head(path_).calibration->high);
}

TEST_F(HeadFileTest, MissingFilesAreErrors) {
  expect_refused({path_.string()});
  expect_error(ErrorKind::io, {"no/such"}, [&] { write_head(folder_ / "no/such", some()); });
}

TEST_F(HeadFileTest, AnotherGgufFileIsNoHead) {
  llama::write_tiny_model(path_);
  expect_refused({path_.string(), "another GGUF file", "tq fit"});
}

TEST_F(HeadFileTest, TextIsNoHead) {
  std::ofstream(path_) << "weights: 1 2 3\n";
  expect_refused({path_.string(), "not a whole GGUF file"});
}

TEST_F(HeadFileTest, EveryTruncatedHeadIsAnError) {
  write_head(path_, some());
  const std::string bytes = testing::read_all(path_);
  // The data of the last tensor may be padded, so cut beyond the padding of 32 bytes.
  for (std::size_t size = 0; size + 32 < bytes.size(); size += 7) {
    std::ofstream(path_, std::ios::binary) << bytes.substr(0, size);
    SCOPED_TRACE(size);
    expect_refused({path_.string()});
  }
}

TEST_F(HeadFileTest, AMissingKeyIsNamed) {
  patch("transferq.head.pooling", "transferq.head.poolinG");
  expect_refused({"lacks transferq.head.pooling"});
  patch("transferq.head.bias", "transferq.head.biaS");
  expect_refused({"lacks its weights"});
  patch("head.weight", "head.weighT");
  expect_refused({"lacks its weights"});
}

TEST_F(HeadFileTest, AnotherVersionIsRefused) {
  const std::string key = "transferq.head.version";
  patch(key + std::string("\x04\0\0\0\x01", 5), key + std::string("\x04\0\0\0\x02", 5));
  expect_refused({"version"});
}

}  // namespace
}  // namespace tq
