// A judge behind OpenAI's chat completions: a real server, on a port of this machine that is free.
#include "transferq/eval/judge/endpoint_judge.hpp"

#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <cstdlib>
#include <latch>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tests/policy/tiny_policy.hpp"

namespace tq {
namespace {

using nlohmann::json;
using testing::expect_error;

class EndpointJudgeTest : public ::testing::Test {
 protected:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;

  ~EndpointJudgeTest() override {
    if (!thread_.joinable()) return;
    release_.count_down();
    server_.stop();
    thread_.join();
  }
  void serve(Handler handler) {
    server_.Post(".*", [this, handler](const httplib::Request& request, httplib::Response& answer) {
      {
        const std::lock_guard lock(mutex_);
        seen_.push_back(request);
      }
      ++requests_;
      handler(request, answer);
    });
    server_.set_keep_alive_timeout(1);
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  void serve_body(const std::string& body, int status = 200) {
    serve([=](const httplib::Request&, httplib::Response& answer) {
      answer.status = status;
      answer.set_content(body, "application/json");
    });
  }
  static std::string completion(const json& content, const std::string& reason = "stop") {
    return json{{"object", "chat.completion"},
                {"choices",
                 {{{"index", 0},
                   {"message", {{"role", "assistant"}, {"content", content}}},
                   {"finish_reason", reason}}}}}
        .dump();
  }
  EndpointJudgeOptions options() const {
    EndpointJudgeOptions o{"http://127.0.0.1:" + std::to_string(port_) + "/v1", "M",
                           JudgeTemplate("{prompt}|{first}|{second}", "x")};
    o.retries = 2;
    o.pause = 0.001;
    return o;
  }
  static Preference ask(const EndpointJudgeOptions& o) {
    return make_endpoint_judge(o)->open({})->ask(make_prompt("p", "Why?"), "one", "two", {});
  }

  httplib::Server server_;
  std::thread thread_;
  int port_ = 0;
  std::atomic<int> requests_{0};
  std::mutex mutex_;
  std::vector<httplib::Request> seen_;
  std::latch release_{1};  // of handlers that are stuck
};

TEST_F(EndpointJudgeTest, AsksAtTemperatureZeroWithASeed) {
  serve_body(completion("It is so.\n[[B]]"));
  EXPECT_EQ(ask(options()), Preference::second);
  EXPECT_EQ(seen_.at(0).path, "/v1/chat/completions");
  EXPECT_EQ(json::parse(seen_.at(0).body),
            (json{{"model", "M"},
                  {"messages", {{{"role", "user"}, {"content", "Why?|one|two"}}}},
                  {"temperature", 0},
                  {"seed", 0},
                  {"max_tokens", 512}}));
}

TEST_F(EndpointJudgeTest, BothOrdersReachTheServer) {
  serve([](const httplib::Request& request, httplib::Response& answer) {  // prefers "two"
    const std::string text = json::parse(request.body)["messages"][0]["content"];
    answer.set_content(completion(text.ends_with("|two") ? "[[B]]" : "[[A]]"), "application/json");
  });
  const auto session = make_endpoint_judge(options())->open({});
  EXPECT_EQ(judge_both(*session, make_prompt("p", "q"), "two", "one").verdict(), Outcome::win);
  EXPECT_EQ(judge_both(*session, make_prompt("p", "q"), "one", "two").verdict(), Outcome::lose);
}

TEST_F(EndpointJudgeTest, InvalidUtf8IsSentReplaced) {
  serve_body(completion("A"));
  const auto session = make_endpoint_judge(options())->open({});
  EXPECT_EQ(session->ask(make_prompt("p", "q"), "\xFF", "b", {}), Preference::first);
  EXPECT_EQ(json::parse(seen_.at(0).body)["messages"][0]["content"], "q|\xEF\xBF\xBD|b");
}

TEST_F(EndpointJudgeTest, AServerThatRecoversIsAskedAgain) {
  serve([this](const httplib::Request&, httplib::Response& answer) {
    answer.status = requests_ < 3 ? 500 : 200;
    answer.set_content(completion("[[A]]"), "application/json");
  });
  EXPECT_EQ(ask(options()), Preference::first);
  EXPECT_EQ(requests_, 3);
}

TEST_F(EndpointJudgeTest, AServerThatStaysBrokenIsAnError) {
  serve_body("out of memory", 500);
  expect_error(ErrorKind::io, {"answered 500, 3 times", "out of memory", "log"},
               [&] { ask(options()); });
  EXPECT_EQ(requests_, 3);
}

TEST_F(EndpointJudgeTest, AnswersThatDoNotFitItsContextAreItsOwnError) {
  serve_body("{\"error\": \"exceeds the context\"}", 400);
  expect_error(ErrorKind::io, {"answered 400", "exceeds the context", "fit its context"},
               [&] { ask(options()); });
  EXPECT_EQ(requests_, 1);
}

TEST_F(EndpointJudgeTest, ASlowServerIsGivenUp) {
  serve([this](const httplib::Request&, httplib::Response&) { release_.wait(); });
  EndpointJudgeOptions o = options();
  o.timeout = 0.05;
  o.retries = 1;
  expect_error(ErrorKind::io, {"no answer in time, 2 times", "timeout="}, [&] { ask(o); });
}

TEST_F(EndpointJudgeTest, AStopEndsTheWait) {
  std::stop_source stop;
  serve([&](const httplib::Request&, httplib::Response& answer) {
    stop.request_stop();
    answer.status = 500;
  });
  EndpointJudgeOptions o = options();
  o.pause = 1000;
  const auto session = make_endpoint_judge(o)->open({});
  expect_error(ErrorKind::interrupted, {},
               [&] { session->ask(make_prompt("p", "q"), "a", "b", stop.get_token()); });
}

TEST_F(EndpointJudgeTest, NobodyThereIsAnError) {
  serve_body("");
  const EndpointJudgeOptions o = options();
  server_.stop();
  thread_.join();
  expect_error(ErrorKind::io, {"can't be reached", o.url}, [&] { ask(o); });
}

TEST_F(EndpointJudgeTest, NonsenseFromTheModelIsNoneAndFromTheServerAnError) {
  std::string said;
  serve([&](const httplib::Request&, httplib::Response& answer) {
    answer.set_content(said, "application/json");
  });
  for (const json& content : {json("They both rock."), json(""), json(nullptr), json("[[D]]")}) {
    said = completion(content);
    EXPECT_EQ(ask(options()), Preference::none) << content;
  }
  said = completion("A", "length");
  EXPECT_EQ(ask(options()), Preference::none);
  said = R"({"choices": [{"message": {"role": "assistant", "refusal": "no"}}]})";
  EXPECT_EQ(ask(options()), Preference::none);
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"", "no JSON object"},
      {"hello", "no JSON object"},
      {"[]", "no JSON object"},
      {R"({"choices": [{"mess)", "no JSON object"},
      {"{}", "no choices"},
      {R"({"choices": []})", "no choices"},
      {R"({"choices": {}})", "no choices"},
      {R"({"choices": [1]})", "no message"},
      {R"({"choices": [{"text": "[[A]]"}]})", "no message"},
      {R"({"choices": [{"message": "[[A]]"}]})", "no message"},
      {R"({"choices": [{"message": {"content": 7}}]})", "content that is no text"}};
  for (const auto& [body, what] : wrong) {
    said = body;
    expect_error(ErrorKind::io, {"answered '" + body + "'", what, "url="}, [&] { ask(options()); });
  }
}

TEST_F(EndpointJudgeTest, TheKeyIsSentAndNeverShown) {
  serve([](const httplib::Request& request, httplib::Response& answer) {
    answer.status = request.get_header_value("Authorization") == "Bearer secret-1" ? 200 : 401;
    answer.set_content(completion("B"), "application/json");
  });
  ModelStore store;
  const auto read = [&](const std::string& more) {
    const Spec spec = parse_spec("url=" + options().url + ",model=M" + more, "judge",
                                 {"url", "model", "key-env"});
    return make_pair_judge(spec, store, Format::chat);
  };
  const auto run = [](const PairJudge& judge) {
    return judge.open({})->ask(make_prompt("p", "q"), "a", "b", {});
  };
  ::setenv("TQ_TEST_KEY", "secret-1", 1);
  const auto judge = read(",key-env=TQ_TEST_KEY");
  EXPECT_EQ(run(*judge), Preference::second);
  EXPECT_EQ(judge->fingerprint(), read("")->fingerprint());
  EXPECT_EQ(judge->name(), "M");
  ::setenv("TQ_TEST_KEY", "secret-2", 1);
  const auto wrong = read(",key-env=TQ_TEST_KEY");
  try {
    run(*wrong);
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find("secret"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("key-env="), std::string::npos) << e.what();
  }
  ::unsetenv("TQ_TEST_KEY");
  expect_error(ErrorKind::usage, {"key-env=TQ_TEST_KEY"}, [&] { read(",key-env=TQ_TEST_KEY"); });
}

TEST(EndpointJudge, UrlsLeadToTheCompletions) {
  EXPECT_EQ(completions_url("http://a:1"), "http://a:1/v1/chat/completions");
  EXPECT_EQ(completions_url("http://a/"), "http://a/v1/chat/completions");
  EXPECT_EQ(completions_url("https://a/v1/"), "https://a/v1/chat/completions");
  EXPECT_EQ(completions_url("https://a/x?v=1"), "https://a/x/chat/completions?v=1");
  EXPECT_EQ(completions_url("http://a/v1/chat/completions"), "http://a/v1/chat/completions");
}

TEST(EndpointJudge, MalformedListsAreRefused) {
  ModelStore store;
  const auto refuse = [&](Spec spec, const std::vector<std::string>& words) {
    expect_error(ErrorKind::usage, words, [&] { make_pair_judge(spec, store, Format::chat); });
  };
  using Values = std::map<std::string, std::string>;
  const auto with = [](const std::string& key, const std::string& value) {
    return Spec{"", "", Values{{"url", "http://a"}, {"model", "M"}, {key, value}}};
  };
  refuse({"", "", {}}, {"policy or a server"});
  refuse({"", "gpt", {}}, {"'gpt'"});
  refuse({"", "", {{"url", "http://a"}}}, {"needs model="});
  refuse({"", "", {{"model", "M"}}}, {"policy or a server"});
  refuse({"", "", {{"polcy", "smollm2"}}}, {"'polcy'", "did you mean 'policy'"});
  refuse(with("timout", "1"), {"'timout'", "did you mean 'timeout'"});
  refuse(with("ask", "logits"), {"ask= is for a judge with policy="});
  refuse(with("timeout", "0"), {"timeout="});
  refuse(with("retries", "-1"), {"retries="});
  refuse(with("max-tokens", "x"), {"max-tokens="});
  refuse(with("seed", "0.5"), {"seed="});
  for (const std::string url : {"", "localhost", "ftp://a", "http://", "http://u:p@a"}) {
    refuse({"", "", {{"url", url}, {"model", "M"}}}, {"url=http://HOST:PORT/PATH"});
  }
  std::set<std::string> prints;
  for (const Spec& spec : {with("seed", "1"), with("seed", "0"), with("max-tokens", "9"),
                           Spec{"", "", {{"url", "http://b"}, {"model", "M"}}},
                           Spec{"", "", {{"url", "http://a"}, {"model", "N"}}}}) {
    prints.insert(make_pair_judge(spec, store, Format::chat)->fingerprint());
  }
  EXPECT_EQ(prints.size(), 5u);
}

}  // namespace
}  // namespace tq
