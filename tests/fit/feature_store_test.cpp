#include "transferq/fit/feature_store.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "tests/engine/tiny_files.hpp"
#include "transferq/core/sha256.hpp"

namespace tq {
namespace {

const std::string kOne = sha256("one"), kTwo = sha256("two"), kThree = sha256("three");
const std::vector<float> kFirst{1.5F, -2.0F, 3e-20F}, kSecond{0.0F, 7.0F, 8.0F};

class FeatureStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<FeatureStore> open(const std::string& key = "key", std::size_t columns = 3) {
    return std::make_unique<FeatureStore>(folder_ / "deep/features", key, columns,
                                          std::set<std::string>{kOne, kTwo, kThree});
  }
  // A store that holds both, closed again; its bytes.
  std::string filled() {
    const auto store = open();
    store->keep(kOne, kFirst);
    store->keep(kTwo, kSecond);
    path_ = store->path();
    return testing::read_all(path_);
  }
  void put(const std::string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }

  testing::TemporaryFolder folder_;
  std::filesystem::path path_;
};

TEST_F(FeatureStoreTest, GivesBackWhatWasKept) {
  filled();
  const auto store = open();
  EXPECT_EQ(store->find(kOne), kFirst);
  EXPECT_EQ(store->find(kTwo), kSecond);
  EXPECT_FALSE(store->find(kThree));
  EXPECT_EQ(store->damaged(), 0u);
  EXPECT_EQ(store->trouble(), "");
}

TEST_F(FeatureStoreTest, AnotherKeyIsAnotherFile) {
  filled();
  EXPECT_FALSE(open("another key")->find(kOne));
  EXPECT_FALSE(FeatureStore(folder_ / "deep/features", "key", 3, {kTwo}).find(kOne));
}

TEST_F(FeatureStoreTest, WhateverIsCutOffIsLostAloneAndMadeAnew) {
  const std::string bytes = filled();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    SCOPED_TRACE(size);
    put(bytes.substr(0, size));
    {
      const auto store = open();
      EXPECT_FALSE(store->find(kTwo));
      EXPECT_EQ(store->find(kOne).value_or(kFirst), kFirst);
      store->keep(kOne, kFirst);
      store->keep(kTwo, kSecond);
    }
    const auto again = open();
    EXPECT_EQ(again->damaged(), 0u);
    EXPECT_EQ(again->find(kOne), kFirst);
    EXPECT_EQ(again->find(kTwo), kSecond);
    EXPECT_EQ(testing::read_all(path_), bytes);
  }
}

TEST_F(FeatureStoreTest, AnyFlippedBitIsFound) {
  const std::string bytes = filled();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    SCOPED_TRACE(at);
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    put(flipped);
    {
      const auto store = open();
      EXPECT_EQ(store->damaged(), 1u);
      for (const auto& [digest, right] : {std::pair{kOne, kFirst}, {kTwo, kSecond}}) {
        EXPECT_EQ(store->find(digest).value_or(right), right);
        store->keep(digest, right);
      }
    }
    const auto again = open();
    EXPECT_EQ(again->damaged(), 0u);
    EXPECT_EQ(again->find(kOne), kFirst);
    EXPECT_EQ(again->find(kTwo), kSecond);
  }
}

TEST_F(FeatureStoreTest, ManyWritersShareAFile) {
  std::set<std::string> digests;
  for (int i = 0; i < 400; ++i) digests.insert(sha256(std::to_string(i)));
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < 4; ++w) {
      writers.emplace_back([&, w] {
        // Two stores of two threads each: as processes do, and as workers do.
        FeatureStore store(folder_.path(), "key", 3, {});
        std::vector<std::jthread> threads;
        for (int t = 0; t < 2; ++t) {
          threads.emplace_back([&, t] {
            for (int i = w * 2 + t; i < 400; i += 8) {
              const std::vector<float> row(3, static_cast<float>(i));
              store.keep(sha256(std::to_string(i)), row);
            }
          });
        }
      });
    }
  }
  FeatureStore store(folder_.path(), "key", 3, digests);
  EXPECT_EQ(store.damaged(), 0u);
  for (int i = 0; i < 400; ++i) {
    const auto row = store.find(sha256(std::to_string(i)));
    ASSERT_TRUE(row);
    EXPECT_EQ(row->at(1), static_cast<float>(i));
  }
}

TEST_F(FeatureStoreTest, AFolderThatCannotBeWrittenIsNoError) {
  std::ofstream(folder_ / "file") << "here";
  FeatureStore store(folder_ / "file/features", "key", 3, {kOne});
  EXPECT_NE(store.trouble(), "");
  store.keep(kOne, kFirst);
  EXPECT_EQ(store.find(kOne), kFirst);  // kept for this run
}

}  // namespace
}  // namespace tq
