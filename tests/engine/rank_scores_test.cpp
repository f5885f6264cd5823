// Rank heads against llama.cpp's own server on the same files (fixtures/rank_scores.json, made by
// scripts/reference/rank_scores.py).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/engine/tiny_files.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/engine/llama/encoder.hpp"
#include "transferq/engine/llama/tiny_encoder.hpp"

namespace tq {
namespace {

TEST(RankScores, EqualTheServers) {
  std::ifstream stream(std::string(TQ_FIXTURES) + "/rank_scores.json");
  const auto reference = nlohmann::json::parse(stream);
  ASSERT_EQ(reference.at("models").size(), 3u);
  for (const auto& model : reference.at("models")) {
    const testing::TemporaryFolder folder;
    llama::TinyEncoderOptions options;
    options.pooling = Pooling::rank;
    options.seed = model.at("seed");
    options.labels = model.at("labels").get<std::vector<std::string>>();
    options.ends = model.at("ends");
    llama::write_tiny_encoder(folder / "tiny.gguf", options);
    ASSERT_EQ(sha256_file(folder / "tiny.gguf"), model.at("sha256")) << "not the server's file";
    const auto session = llama::load_encoder(folder / "tiny.gguf")->open_session(1);
    for (const auto& item : model.at("cases")) {
      std::vector<RankPair> pairs;
      for (const auto& text : item.at("texts")) pairs.push_back({item.at("query"), text});
      const auto before = session->evaluations();
      const auto scores = session->rank(pairs);
      EXPECT_EQ(session->evaluations() - before, item.at("tokens"));
      ASSERT_EQ(item.at("scores").size(), pairs.size());
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        EXPECT_NEAR(scores[i].at(0), item.at("scores").at(i).get<double>(), 1e-3) << pairs[i].text;
      }
    }
  }
}

}  // namespace
}  // namespace tq
