// Files are written here byte by byte, after the format's description.
#include "transferq/engine/safetensors.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <optional>

#include "tests/engine/tiny_files.hpp"
#include "transferq/core/error.hpp"

namespace tq {
namespace {

class SafetensorsTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& header, const std::string& data,
                              std::optional<std::uint64_t> length = std::nullopt) const {
    const auto path = folder_ / "model.safetensors";
    std::ofstream file(path, std::ios::binary);
    for (std::uint64_t n = length.value_or(header.size()), i = 0; i < 8; ++i, n >>= 8) {
      file.put(static_cast<char>(n & 0xff));
    }
    file << header << data;
    return path;
  }

  void expect_damaged(const std::filesystem::path& path, const std::string& why) const {
    try {
      SafetensorsFile file(path);
      ADD_FAILURE() << "accepted: " << why;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::model) << why;
      EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find("model.safetensors"), std::string::npos) << e.what();
    }
  }

  testing::TemporaryFolder folder_;
};

std::string tensor(const std::string& type, const std::string& shape, int begin, int end) {
  return R"({"dtype":")" + type + R"(","shape":[)" + shape + R"(],"data_offsets":[)" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

TEST_F(SafetensorsTest, ReadsEveryFloatingType) {
  const std::string header = R"({"__metadata__":{"format":"pt"},"f":)" + tensor("F32", "2", 0, 8) +
                             R"(,"h":)" + tensor("F16", "2,3", 8, 20) + R"(,"b":)" +
                             tensor("BF16", "2", 20, 24) + R"(,"i":)" + tensor("I64", "1", 24, 32) +
                             R"(,"none":)" + tensor("F32", "0", 32, 32) + "}";
  const std::string f32("\x00\x00\xc0\x3f\x00\x00\x00\xc0", 8);  // 1.5, -2
  // 1, -2.5, the largest (65504), the smallest (2^-24), -0, infinity
  const std::string f16("\x00\x3c\x00\xc1\xff\x7b\x01\x00\x00\x80\x00\x7c", 12);
  const std::string bf16("\xc0\x3f\x80\xbf", 4);  // 1.5, -1
  SafetensorsFile file(write(header + "   ", f32 + f16 + bf16 + std::string(8, '\7')));
  EXPECT_EQ(file.values("f"), (std::vector<float>{1.5F, -2.0F}));
  EXPECT_EQ(file.values("h"),
            (std::vector<float>{1, -2.5F, 65504, std::ldexp(1.0F, -24), -0.0F, INFINITY}));
  EXPECT_TRUE(std::signbit(file.values("h")[4]));
  EXPECT_EQ(file.values("b"), (std::vector<float>{1.5F, -1.0F}));
  EXPECT_TRUE(file.values("none").empty());
  EXPECT_EQ(file.tensors().at("h").shape, (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ(file.tensors().size(), 5u);
  EXPECT_THROW(file.values("i"), Error);
  EXPECT_THROW(file.values("absent"), Error);
}

TEST_F(SafetensorsTest, RefusesDamagedFiles) {
  const std::string ok = R"({"w":)" + tensor("F32", "2", 0, 8) + "}";
  const std::string data(8, '\0');
  EXPECT_NO_THROW(SafetensorsFile(write(ok, data)));
  expect_damaged(write(ok, data, 1'000'000), "longer than the file");
  expect_damaged(write(ok, data, ~0ULL), "longer than the file");
  expect_damaged(write(ok, data, ok.size() - 1), "can't be read");
  expect_damaged(write(ok, data.substr(1)), "outside the file");
  expect_damaged(write(ok, data + "x"), "length");
  expect_damaged(write("[]", ""), "no object");
  expect_damaged(write(R"({"w":{"dtype":"F32"}})", data), "can't be read");
  expect_damaged(write(R"({"w":)" + tensor("F32", "3", 0, 8) + "}", data), "'w' has another size");
  expect_damaged(write(R"({"w":)" + tensor("F32", "-2", 0, 8) + "}", data), "'w' has a size");
  expect_damaged(write(R"({"w":)" + tensor("F32", "4294967296,4294967296", 0, 8) + "}", data),
                 "larger than the file");
  expect_damaged(write(R"({"w":)" + tensor("F32", "2", 8, 0) + "}", data), "outside the file");
  expect_damaged(
      write(R"({"w":)" + tensor("F32", "1", 0, 4) + R"(,"v":)" + tensor("F32", "2", 0, 8) + "}",
            data),
      "overlap");
  expect_damaged(write(R"({"w":)" + tensor("F32", "1", 4, 8) + "}", data), "gap");
  std::ofstream(folder_ / "model.safetensors", std::ios::trunc) << "short";
  expect_damaged(folder_ / "model.safetensors", "too short");
  EXPECT_THROW(SafetensorsFile(folder_ / "absent.safetensors"), Error);
  EXPECT_THROW(SafetensorsFile(folder_ / "."), Error);
}

// Whatever byte of the header is changed, the file is read or refused; it never harms.
TEST_F(SafetensorsTest, AnyFlippedByteOfTheHeaderIsHarmless) {
  const std::string ok = R"({"w":)" + tensor("F32", "2", 0, 8) + "}";
  for (std::size_t i = 0; i < ok.size(); ++i) {
    for (const char flip : {'\x01', '\x08', '\x10', '\x40'}) {
      std::string header = ok;
      header[i] = static_cast<char>(header[i] ^ flip);
      try {
        SafetensorsFile file(write(header, std::string(8, '\0')));
        for (const auto& [name, t] : file.tensors()) {
          EXPECT_LE(t.end, 8u) << header;
          if (t.type == "F32") {
            EXPECT_EQ(file.values(name).size(), 2u) << header;
          }
        }
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::model) << header;
      }
    }
  }
}

}  // namespace
}  // namespace tq
