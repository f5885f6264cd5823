// Escaping, Markdown's cells, the charts' axes, and the answers as JSON.
#include <gtest/gtest.h>

#include "transferq/eval/report/axis.hpp"
#include "transferq/eval/report/distribution.hpp"
#include "transferq/eval/report/escape.hpp"
#include "transferq/eval/report/html.hpp"
#include "transferq/eval/report/scatter.hpp"

namespace tq::report {
namespace {

TEST(ReportEscape, Html) {
  EXPECT_EQ(html_text("<a href='x'>&\"\x01\xFF"),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot; \xEF\xBF\xBD");
}

TEST(ReportEscape, NothingEndsAScript) {
  const nlohmann::ordered_json value{{"t", "</script><!-- & \xF0\x9F\x99\x82"}};
  const std::string json = script_json(value);
  EXPECT_EQ(json.find_first_of("<>&"), std::string::npos);
  EXPECT_EQ(nlohmann::ordered_json::parse(json), value);
}

TEST(ReportEscape, MarkdownCellsAndBlocks) {
  EXPECT_EQ(markdown_cell("a|b\n<i> *c*"), "a\\|b &lt;i> \\*c\\*");
  EXPECT_EQ(markdown_block("a ``` b", "sh"), "````sh\na ``` b\n````\n");
}

TEST(ReportCharts, Ticks) {
  EXPECT_EQ(ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(log_ticks(1, 10, 6), (std::vector<double>{1, 2, 5, 10}));
  EXPECT_EQ(log_ticks(0.5, 2000, 6), (std::vector<double>{1, 10, 100, 1000}));
  EXPECT_TRUE(ticks(1, 1, 5).empty());
}

TEST(ReportCharts, ShowRunsThatHaveNumbersAndEscapeTheirNames) {
  Summary s;
  EXPECT_EQ(cost_chart(s) + kl_chart(s) + distribution_chart(s), "");
  RunSummary run;
  run.name = "a<b";
  run.reward.mean = Estimate{1, 1, 1, 1};
  run.reward.values = {1};
  run.evaluations = 4;
  s.runs = {run};
  EXPECT_NE(cost_chart(s).find("a&lt;b"), std::string::npos);
  EXPECT_EQ(kl_chart(s), "");  // no KL
  EXPECT_EQ((cost_chart(s) + distribution_chart(s)).find("nan"), std::string::npos);
}

TEST(ReportAnswers, ChangedRangesAreGapsAndLengths) {
  Results r;
  r.runs = {{"plain", "sample", {}}};
  r.prompts = {{"p", "P", {{"system", "S"}}}};
  Answer a;
  a.text = "abcdefgh";
  a.changed = {{1, 3}, {5, 6}};
  a.reward = 0.123456;
  r.answers = {a};
  EXPECT_EQ(answers_json(r).dump(),
            R"({"runs":["plain"],"prompts":[{"id":"p","text":"P","before":[["system","S"]],)"
            R"("answers":[[0,0,"abcdefgh",0.1235,null,0,[1,2,2,1]]]}]})");
}

}  // namespace
}  // namespace tq::report
