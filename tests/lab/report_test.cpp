// What is shown of sweeps: means, who is ahead, plots, the page.
#include <gtest/gtest.h>

#include <cmath>

#include "transferq/lab/random_world.hpp"
#include "transferq/lab/report/page.hpp"
#include "transferq/lab/report/plot.hpp"
#include "transferq/lab/report/summary.hpp"

namespace tq::lab {
namespace {

SweepRow row(const std::string& world, const std::string& method, double value, double reward) {
  SweepRow r;
  r.sweep = "quality";
  r.world = world;
  r.method = method;
  r.value = value;
  r.expected_reward = reward;
  return r;
}

TEST(LabSummary, MeansOverWorlds) {
  std::vector<SweepRow> rows{row("a", "m", 1, 0.5), row("b", "m", 1, 0.7), row("a", "m", 0, 0.1)};
  rows[1].kl_bound = 3;
  const auto all = means(rows, "quality");
  ASSERT_EQ(all.at("m").size(), 2u);
  EXPECT_EQ(all.at("m")[0].value, 0);
  EXPECT_NEAR(all.at("m")[1].expected_reward, 0.6, 1e-15);
  EXPECT_EQ(all.at("m")[1].worlds, 2u);
  EXPECT_EQ(all.at("m")[1].kl_bound, 3);
  EXPECT_TRUE(std::isnan(all.at("m")[0].kl_bound));
  EXPECT_TRUE(means(rows, "alpha").empty());
}

TEST(LabSummary, WhoIsAhead) {
  const std::vector<SweepRow> rows{row("a", "x", 0, 0.5), row("a", "y", 0, 0.4),
                                   row("b", "x", 0, 0.5), row("b", "y", 0, 0.8),
                                   row("c", "x", 0, 0.5), row("c", "y", 0, 0.5 - 1e-15),
                                   row("d", "x", 0, 1)};  // d has one of the two
  const auto all = ahead(rows, "quality", "x", "y");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].worlds, 3u);
  EXPECT_NEAR(all[0].share.value, 1.0 / 3, 1e-15);
  EXPECT_NEAR(all[0].difference, -0.2 / 3, 1e-12);
}

TEST(LabPlot, OnlyWhatCanBeShown) {
  EXPECT_EQ(drawn({"t", "x", "y"}), "");
  Plot plot{"t", "x", "y", true, true};
  plot.series = {{"none", 0, {{0, 1}, {-1, 1}, {1, 0}}}};
  EXPECT_EQ(drawn(plot), "");
  plot.series.push_back({"<one>", 1, {{1, 1}, {10, std::nan("")}, {100, 5}}});
  const std::string svg = drawn(plot);
  EXPECT_NE(svg.find("&lt;one&gt;"), svg.npos);
  EXPECT_EQ(svg.find("nan"), svg.npos);
  EXPECT_EQ(svg.find("inf"), svg.npos);
  plot.series = {{"a point", 0, {{3, 3}}}};
  EXPECT_EQ(drawn(plot).find("nan"), std::string::npos);
}

TEST(LabPage, StandsAlone) {
  std::vector<SweepRow> rows;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    RandomWorldOptions o;
    o.seed = seed;
    o.vocabulary = 3;
    o.max_tokens = 3;
    const World world = random_world(o);
    for (const std::string& name : sweep_names()) {
      const auto more =
          sweep(name, std::to_string(seed), world, sweep_values(name, world), {seed, 2});
      rows.insert(rows.end(), more.begin(), more.end());
    }
  }
  const std::string html = page({"T < U", "3 worlds", "tq lab sweep"}, rows);
  for (const char* words :
       {"T &lt; U", "Reward against KL", "Gap against its bound", "KL against its bound",
        "Error of the values against N", "When indirect transfer pays",
        "The map of indirect transfer", "most there can be",
        "Direct transfer ahead of controlled decoding", "prefers-color-scheme: dark",
        "Reward against horizon", "Reward against beta"}) {
    EXPECT_NE(html.find(words), html.npos) << words;
  }
  for (const char* never : {"nan", "inf\"", "<script", "src=", "http:", "https:"}) {
    EXPECT_EQ(html.find(never), html.npos) << never;
  }
  // Without rows there is a page, without plots.
  EXPECT_EQ(page({"T", "", ""}, {}).find("<svg"), std::string::npos);
}

}  // namespace
}  // namespace tq::lab
