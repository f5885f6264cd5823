#include "transferq/core/sha256.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

// The examples of FIPS 180-2.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesEqualTheWhole) {
  Sha256 digest;
  digest.update("a");
  digest.update("");
  digest.update("bc");
  EXPECT_EQ(digest.hex(), sha256("abc"));
}

TEST(Sha256, Files) {
  const auto path = std::filesystem::path(testing::TempDir()) / "tq_sha256_test";
  const std::string bytes(3 << 20, 'x');  // more than one read
  std::ofstream(path, std::ios::binary) << bytes << '\0' << "end";
  EXPECT_EQ(sha256_file(path), sha256(bytes + std::string(1, '\0') + "end"));
  std::filesystem::remove(path);
  try {
    sha256_file(path);
    FAIL() << "a missing file has no digest";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
  }
}

}  // namespace
}  // namespace tq
