#include "transferq/engine/llama/convert.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <csignal>

#include "tests/engine/tiny_files.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/engine/llama/tiny_model.hpp"

namespace tq::llama {
namespace {

using testing::distance;
using testing::expect_error;
using testing::logits_after;
using testing::read_all;

// Files are no longer than `bytes` while this lives: what a full disk looks like to a writer.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

class Convert : public ::testing::Test {
 protected:
  // Sizes that every block type divides, so that q4_k_m needs no substitute.
  Convert() {
    write_tiny_model(in_, {.layers = 1, .embedding = 256, .heads = 4, .feed_forward = 256});
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }
  testing::TemporaryFolder folder_;
  const std::filesystem::path in_ = folder_ / "in.gguf";
  const std::filesystem::path out_ = folder_ / "out.gguf";
};

TEST_F(Convert, EveryTypeLoadsAndIsCloseToTheOriginal) {
  const auto original = logits_after(*load_model(in_), "Hello there");
  const struct {
    const char* type;
    double tolerance;  // of a logit; the logits spread over some 10
    double size;       // of the file, relative to f32
  } cases[] = {{"f32", 0, 1.0},    {"f16", 0.02, 0.52}, {"bf16", 0.15, 0.52},
               {"q8_0", 0.3, 0.3}, {"q4_0", 4.0, 0.25}, {"Q4_K_M", 4.0, 0.25}};
  const auto full = static_cast<double>(std::filesystem::file_size(in_));
  for (const auto& c : cases) {
    SCOPED_TRACE(c.type);
    convert_model(in_, out_, c.type);
    const auto model = load_model(out_);
    EXPECT_LE(distance(original, logits_after(*model, "Hello there")), c.tolerance);
    EXPECT_LE(static_cast<double>(std::filesystem::file_size(out_)), full * c.size + 4096);
    EXPECT_NE(model->identity(), load_model(in_)->identity());
    EXPECT_EQ(model->vocabulary_identity(), load_model(in_)->vocabulary_identity());
  }
  EXPECT_EQ(files(), 2u);
}

TEST_F(Convert, BackToF32KeepsTheQuantisedWeights) {
  convert_model(in_, folder_ / "q8.gguf", "q8_0");
  convert_model(folder_ / "q8.gguf", out_, "f32");
  EXPECT_GE(std::filesystem::file_size(out_), std::filesystem::file_size(in_));
  // Activations are rounded too where weights are, hence not equal.
  EXPECT_LE(distance(logits_after(*load_model(folder_ / "q8.gguf"), "Hello"),
                     logits_after(*load_model(out_), "Hello")),
            0.2);
}

TEST_F(Convert, SizesThatBlocksDoNotDivideStillConvert) {
  write_tiny_model(in_, {.embedding = 24, .heads = 3, .feed_forward = 40});
  for (const std::string& type : conversion_types()) {
    convert_model(in_, out_, type);
    EXPECT_LE(
        distance(logits_after(*load_model(in_), "Hello"), logits_after(*load_model(out_), "Hello")),
        4.0);
  }
}

TEST_F(Convert, ReplacesTheOutputAndKeepsTheInput) {
  std::ofstream(out_) << "something else";
  const std::string before = read_all(in_);
  convert_model(in_, out_, "f16");
  EXPECT_EQ(read_all(in_), before);
  EXPECT_EQ(read_all(out_).substr(0, 4), "GGUF");
}

TEST_F(Convert, WhatAKilledProcessLeftIsRemovedAndALivingOnesDraftIsNot) {
  const auto stale = folder_ / "out.gguf.part-1-1", living = folder_ / "out.gguf.part-1-2";
  const auto others = folder_ / "other.gguf.part-1-1";
  for (const auto& path : {stale, living, others}) std::ofstream(path) << "GGUF";
  const int file = ::open(living.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(file, LOCK_EX | LOCK_NB), 0);
  convert_model(in_, out_, "f16");
  EXPECT_FALSE(std::filesystem::exists(stale));
  EXPECT_TRUE(std::filesystem::exists(living));
  EXPECT_TRUE(std::filesystem::exists(others));
  ::close(file);
}

TEST_F(Convert, UnknownTypesAreRefused) {
  expect_error(ErrorKind::usage, {"'q8_1'", "did you mean 'q8_0'"},
               [&] { convert_model(in_, out_, "q8_1"); });
  expect_error(ErrorKind::usage, {"f32, f16, bf16, q8_0, q4_0, q4_k_m"},
               [&] { convert_model(in_, out_, "something"); });
  EXPECT_FALSE(std::filesystem::exists(out_));
}

TEST_F(Convert, BadInputsAreRefusedAndLeaveNothing) {
  expect_error(ErrorKind::io, {"no.gguf"},
               [&] { convert_model(folder_ / "no.gguf", out_, "f32"); });
  expect_error(ErrorKind::io, {"can't read"}, [&] { convert_model(folder_.path(), out_, "f32"); });
  expect_error(ErrorKind::usage, {"onto itself"}, [&] { convert_model(in_, in_, "f32"); });

  const auto bad = folder_ / "bad.gguf";
  std::ofstream(bad) << "this is text";
  expect_error(ErrorKind::model, {"bad.gguf"}, [&] { convert_model(bad, out_, "f32"); });
  for (const double part : {0.001, 0.01, 0.5, 0.999}) {
    const std::string whole = read_all(in_);
    std::ofstream(bad, std::ios::binary)
        << whole.substr(0, static_cast<std::size_t>(part * static_cast<double>(whole.size())));
    expect_error(ErrorKind::model, {"bad.gguf"}, [&] { convert_model(bad, out_, "q8_0"); });
  }
  write_tiny_control_vector(bad, {});
  expect_error(ErrorKind::model, {"bad.gguf"}, [&] { convert_model(bad, out_, "q8_0"); });
  EXPECT_EQ(files(), 2u);  // in and bad
}

TEST_F(Convert, AFullDiskLeavesTheOldOutput) {
  std::ofstream(out_) << "old";
  for (const rlim_t bytes : {1000, 100000, 1000000}) {
    SCOPED_TRACE(bytes);
    const FileSizeLimit limit(bytes);
    expect_error(ErrorKind::io, {"out.gguf", "full"}, [&] { convert_model(in_, out_, "f32"); });
  }
  EXPECT_EQ(read_all(out_), "old");
  EXPECT_EQ(files(), 2u);
}

TEST_F(Convert, AnUnwritableFolderIsAnError) {
  expect_error(ErrorKind::io, {"no/out"}, [&] { convert_model(in_, folder_ / "no/out", "f32"); });
}

}  // namespace
}  // namespace tq::llama
