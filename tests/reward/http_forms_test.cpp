#include "transferq/reward/http_forms.hpp"

#include <gtest/gtest.h>

#include "tests/engine/tiny_files.hpp"

namespace tq {
namespace {

using nlohmann::json;
using testing::expect_error;

class HttpFormsTest : public ::testing::Test {
 protected:
  std::vector<const OutsideRow*> rows(std::vector<OutsideRow> list) {
    rows_ = std::move(list);
    std::vector<const OutsideRow*> out;
    for (const OutsideRow& row : rows_) out.push_back(&row);
    return out;
  }
  static OutsideRow row(const std::string& prompt, const std::string& response) {
    return {{{"user", prompt}}, response, true};
  }
  json body(const HttpForm& form, std::vector<OutsideRow> list) {
    return json::parse(request_body(form, rows(std::move(list))).dump());
  }
  using Scores = std::vector<std::optional<double>>;

  std::vector<OutsideRow> rows_;
};

TEST_F(HttpFormsTest, Tq) {
  const HttpForm form{HttpApi::tq, "", "", 10};
  EXPECT_EQ(body(form, {row("p", "a"), {{}, "b", false}}), json::parse(R"({"rows": [
    {"prompt": "p", "messages": [{"role": "user", "content": "p"}], "response": "a",
     "finished": true},
    {"prompt": "", "messages": [], "response": "b", "finished": false}]})"));
  EXPECT_EQ(scores_in(form, R"({"rewards": [1, -2.5]})", 2), (Scores{1, -2.5}));
  EXPECT_EQ(scores_in(form, R"({"rewards": [null, "1"]})", 2), Scores(2));
  for (const char* bad : {"", "hi", "[1, 2]", "{}", R"({"rewards": 1})", R"({"rewards": [1]})",
                          R"({"rewards": [NaN, 1]})", R"({"rewards": [1e999, 1]})"}) {
    expect_error(ErrorKind::input, {"rewards"}, [&] { scores_in(form, bad, 2); });
  }
}

TEST_F(HttpFormsTest, Score) {
  const HttpForm form{HttpApi::score, "M", "", 10};
  EXPECT_EQ(body(form, {row("p", "a"), row("p", "b")}),
            json::parse(R"({"model": "M", "text_1": "p", "text_2": ["a", "b"]})"));
  EXPECT_EQ(body(form, {row("p", "a"), row("q", "b")}),
            json::parse(R"({"model": "M", "text_1": ["p", "q"], "text_2": ["a", "b"]})"));
  const char* answer = R"({"id": "score-1", "object": "list", "model": "M", "usage": {}, "data": [
    {"index": 1, "object": "score", "score": 0.25}, {"index": 0, "object": "score", "score": 1}]})";
  EXPECT_EQ(scores_in(form, answer, 2), (Scores{1, 0.25}));
  EXPECT_EQ(scores_in(form, answer, 3), (Scores{1, 0.25, std::nullopt}));
  EXPECT_EQ(scores_in(form, R"({"data": [{"index": 0, "score": null}]})", 1), Scores(1));
  for (const char* bad : {R"({"data": [{"score": 1}]})", R"({"data": [{"index": 1, "score": 1}]})",
                          R"({"data": [{"index": -1, "score": 1}]})", R"({"data": [7]})",
                          R"({"data": [{"index": 0, "score": 1}, {"index": 0, "score": 2}]})"}) {
    expect_error(ErrorKind::input, {"index"}, [&] { scores_in(form, bad, 1); });
  }
}

TEST_F(HttpFormsTest, AConversationIsOneTextWhereAFormWantsOne) {
  const OutsideRow talk{{{"user", "Hi"}, {"assistant", "Yes?"}, {"user", "Why"}}, "a", true};
  EXPECT_EQ(body({HttpApi::score, "", "", 10}, {talk})["text_1"],
            "user: Hi\nassistant: Yes?\nuser: Why");
}

TEST_F(HttpFormsTest, Rerank) {
  const HttpForm form{HttpApi::rerank, "", "", 3};
  EXPECT_EQ(body(form, {row("p", "a"), row("p", "b")}),
            json::parse(R"({"query": "p", "documents": ["a", "b"]})"));
  EXPECT_EQ(scores_in(form, R"({"results": [{"index": 1, "relevance_score": -7.5},
                                            {"index": 0, "relevance_score": 2}]})",
                      2),
            (Scores{2, -7.5}));
  expect_error(ErrorKind::input, {"results"}, [&] { scores_in(form, R"({"data": []})", 1); });
  // One prompt a request, and no more rows than a batch.
  EXPECT_EQ(rows_in_request(form, rows({row("p", "a"), row("p", "b"), row("q", "c")})), 2u);
  EXPECT_EQ(rows_in_request(form, rows(std::vector<OutsideRow>(5, row("p", "a")))), 3u);
}

TEST_F(HttpFormsTest, Reward) {
  const HttpForm form{HttpApi::reward, "M", "", 10};
  EXPECT_EQ(body(form, {row("p", "a")}), json::parse(R"({"model": "M", "messages": [
    {"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}],
    "use_activation": false})"));
  EXPECT_EQ(rows_in_request(form, rows({row("p", "a"), row("p", "b")})), 1u);
  EXPECT_EQ(scores_in(form, R"({"data": [{"index": 0, "label": "LABEL_0", "probs": [-1.5],
                                          "num_classes": 1}]})",
                      1),
            Scores{-1.5});
  // Two labels are no one reward.
  EXPECT_EQ(scores_in(form, R"({"data": [{"index": 0, "probs": [0.1, 0.9]}]})", 1), Scores(1));
}

TEST_F(HttpFormsTest, Pooling) {
  const HttpForm form{HttpApi::pooling, "", "Q {prompt} A {response}{response} {other}", 10};
  EXPECT_EQ(body(form, {row("{response}", "a"), row("q", "b")}),
            json::parse(R"({"input": ["Q {response} A aa {other}", "Q q A bb {other}"]})"));
  EXPECT_EQ(rows_in_request(form, rows({row("p", "a"), row("q", "b")})), 2u);
  EXPECT_EQ(scores_in(form, R"({"data": [{"index": 0, "data": [0.5]},
                                         {"index": 1, "data": [[1], [2], [3]]},
                                         {"index": 2, "data": [1, 2]}, {"index": 3, "data": []},
                                         {"index": 4, "data": [[1, 2]]},
                                         {"index": 5, "data": "AAAA"}]})",
                      6),
            (Scores{0.5, 3, {}, {}, {}, {}}));
}

TEST_F(HttpFormsTest, Names) {
  EXPECT_EQ(http_api("rerank"), HttpApi::rerank);
  EXPECT_EQ(default_path(HttpApi::rerank), "/v1/rerank");
  expect_error(ErrorKind::usage, {"rerak", "did you mean 'rerank'?"}, [&] { http_api("rerak"); });
}

}  // namespace
}  // namespace tq
