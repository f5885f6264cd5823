#include "transferq/core/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

namespace tq {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The known-answer vectors of Random123 for philox4x32 with 10 rounds.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Uniform, IsAFunctionOfTheKeyAndEveryFieldMatters) {
  const RandomKey base{
      .seed = 1, .prompt = 2, .step = 3, .candidate = 4, .sample = 5, .position = 6};
  std::vector<RandomKey> keys(8, base);
  keys[1].seed = 2;
  keys[2].seed = 1 + (std::uint64_t{1} << 32);
  keys[3].prompt = 3;
  keys[4].step = 4;
  keys[5].candidate = 5;
  keys[6].sample = 6;
  keys[7].position = 7;
  std::set<double> draws;
  for (const RandomKey& key : keys) {
    EXPECT_EQ(uniform(key), uniform(key));
    draws.insert(uniform(key));
  }
  EXPECT_EQ(draws.size(), keys.size());
}

// Fields must not stand in for one another: exchanging two of them gives another number.
TEST(Uniform, FieldsDoNotCommute) {
  EXPECT_NE(uniform({.prompt = 1, .step = 2}), uniform({.prompt = 2, .step = 1}));
  EXPECT_NE(uniform({.candidate = 1, .sample = 2}), uniform({.candidate = 2, .sample = 1}));
  EXPECT_NE(uniform({.sample = 1, .position = 2}), uniform({.sample = 2, .position = 1}));
  EXPECT_NE(uniform({.seed = 1}), uniform({.prompt = 1}));
}

// Consecutive draws along each field: mean, and chi-squared over 64 equal bins. The draws are
// fixed, so that the test is either always right or always wrong.
TEST(Uniform, IsUniformAlongEveryField) {
  constexpr int kDraws = 64000, kBins = 64;
  for (int field = 0; field < 6; ++field) {
    std::vector<int> bins(kBins);
    double sum = 0, product = 0, last = 0.5;
    for (std::uint32_t i = 0; i < kDraws; ++i) {
      RandomKey key{.seed = 42};
      switch (field) {
        case 0:
          key.seed = i;
          break;
        case 1:
          key.prompt = i;
          break;
        case 2:
          key.step = i;
          break;
        case 3:
          key.candidate = i;
          break;
        case 4:
          key.sample = i;
          break;
        default:
          key.position = i;
      }
      const double u = uniform(key);
      ASSERT_GE(u, 0.0);
      ASSERT_LT(u, 1.0);
      ++bins[static_cast<std::size_t>(u * kBins)];
      sum += u;
      product += (u - 0.5) * (last - 0.5);
      last = u;
    }
    const double expected = static_cast<double>(kDraws) / kBins;
    double chi = 0;
    for (const int n : bins) chi += (n - expected) * (n - expected) / expected;
    EXPECT_LT(chi, 63 + 4 * std::sqrt(2.0 * 63)) << "field " << field;
    EXPECT_NEAR(sum / kDraws, 0.5, 4 * std::sqrt(1.0 / 12 / kDraws)) << "field " << field;
    EXPECT_NEAR(product / kDraws, 0, 4 * (1.0 / 12) / std::sqrt(kDraws)) << "field " << field;
  }
}

// The published vectors of FNV-1a with 32 bits.
TEST(Hash32, KnownAnswers) {
  const auto hash = [](const std::string& s) { return hash32(s.data(), s.size()); };
  EXPECT_EQ(hash(""), 0x811c9dc5u);
  EXPECT_EQ(hash("a"), 0xe40c292cu);
  EXPECT_EQ(hash("foobar"), 0xbf9cf968u);
}

}  // namespace
}  // namespace tq
