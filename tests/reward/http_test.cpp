// Servers as rewards: a real one, on a port of this machine that is free.
#include "transferq/reward/http.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <latch>
#include <mutex>
#include <thread>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/reward/http_client.hpp"
#include "transferq/reward/reward_list.hpp"

namespace tq {
namespace {

using nlohmann::json;
using testing::expect_error;

Draft draft(const std::string& text) { return {text, {}, {}, false, true}; }

// "a", "aa" and so on.
std::vector<Draft> different_drafts(std::size_t count) {
  std::vector<Draft> out;
  for (std::size_t i = 1; i <= count; ++i) out.push_back(draft(std::string(i, 'a')));
  return out;
}

std::vector<double> score(const Reward& reward, const std::vector<Draft>& drafts,
                          const Prompt& prompt = make_prompt("a", "Why?")) {
  SessionPool pool({});
  return reward.open(prompt, pool, {})->score(drafts);
}

class HttpTest : public ::testing::Test {
 protected:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;

  ~HttpTest() override {
    if (!thread_.joinable()) return;
    release_.count_down();
    server_.stop();
    thread_.join();
  }
  // Answers every request with `handler`, which may look at requests_ for how many came before.
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
  // The rewards of api=tq: the lengths of the responses.
  static void lengths(const httplib::Request& request, httplib::Response& answer) {
    json rewards = json::array();
    const json body = json::parse(request.body);
    for (const auto& row : body["rows"]) {
      rewards.push_back(row["response"].get<std::string>().size());
    }
    answer.set_content(json{{"rewards", rewards}}.dump(), "application/json");
  }
  std::string url(const std::string& path = "/reward") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  HttpOptions options(HttpApi api = HttpApi::tq) const {
    HttpOptions o;
    o.url = url();
    o.form.api = api;
    o.pause = 0.001;
    o.retries = 2;
    return o;
  }
  void expect_failure(const HttpOptions& o, std::vector<std::string> words) {
    words.push_back(o.url);
    const auto reward = make_http_reward(o);
    expect_error(ErrorKind::io, words, [&] { score(*reward, {draft("a")}); });
  }
  json seen(std::size_t i) {
    const std::lock_guard lock(mutex_);
    return json::parse(seen_.at(i).body);
  }

  httplib::Server server_;
  std::thread thread_;
  int port_ = 0;
  std::atomic<int> requests_{0};
  std::mutex mutex_;
  std::vector<httplib::Request> seen_;
  std::latch release_{1};  // of handlers that are stuck
};

TEST_F(HttpTest, AllDraftsOfACallAreOneRequest) {
  serve(lengths);
  const auto reward = make_http_reward(options());
  EXPECT_EQ(requests_, 0);
  EXPECT_EQ(score(*reward, {draft("a"), draft(""), draft("\xE2\x82\xAC")}),
            (std::vector<double>{1, 0, 3}));
  EXPECT_EQ(requests_, 1);
  EXPECT_EQ(seen(0)["rows"][0]["prompt"], "Why?");
  EXPECT_EQ(seen_[0].path, "/reward");
  EXPECT_EQ(seen_[0].get_header_value("Content-Type"), "application/json");
}

TEST_F(HttpTest, LargeCallsGoInBatches) {
  serve(lengths);
  HttpOptions o = options();
  o.form.batch = 10;
  std::vector<Draft> drafts;
  std::vector<double> expected;
  for (std::size_t i = 0; i < 95; ++i) {
    drafts.push_back(draft(std::string(i * 100, 'x')));
    expected.push_back(static_cast<double>(i * 100));
  }
  EXPECT_EQ(score(*make_http_reward(o), drafts), expected);
  EXPECT_EQ(requests_, 10);
  EXPECT_EQ(seen(9)["rows"].size(), 5u);
}

TEST_F(HttpTest, PromptsSideBySideGetTheirOwnScores) {
  serve(lengths);
  constexpr std::size_t kThreads = 4;
  const auto reward = make_http_reward(options());
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        const auto own = make_prompt(std::to_string(t), "prompt " + std::to_string(t));
        for (std::size_t i = 0; i < 10; ++i) {
          const std::vector<double> expected{static_cast<double>(t), static_cast<double>(i)};
          if (score(*reward, {draft(std::string(t, 'x')), draft(std::string(i, 'x'))}, own) !=
              expected) {
            ++wrong;
          }
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST_F(HttpTest, A500IsTriedAgain) {
  serve([&](const httplib::Request& request, httplib::Response& answer) {
    if (requests_ < 3) {
      answer.status = requests_ == 1 ? 500 : 429;
      answer.set_header("Retry-After", "0");
    } else {
      lengths(request, answer);
    }
  });
  EXPECT_EQ(score(*make_http_reward(options()), {draft("ab")}), std::vector<double>{2});
  EXPECT_EQ(requests_, 3);
}

TEST_F(HttpTest, A500ForEverIsGivenUp) {
  serve([&](const httplib::Request&, httplib::Response& answer) {
    answer.status = 503;
    answer.set_content("out of\nmemory " + std::string(500, 'z'), "text/plain");
  });
  expect_failure(options(),
                 {"answered 503, 3 times in a row", "'out of memory zzz", "...'", "server's log"});
  EXPECT_EQ(requests_, 3);
}

TEST_F(HttpTest, A4xxFailsAtOnce) {
  int status = 404;
  serve([&](const httplib::Request&, httplib::Response& answer) {
    answer.status = status;
    answer.set_content("{\"error\": \"nothing here\"}", "application/json");
  });
  expect_failure(options(), {"answered 404: '{\"error\": \"nothing here\"}'", "check the path"});
  EXPECT_EQ(requests_, 1);
  status = 401;
  expect_failure(options(), {"401", "key="});
  status = 400;
  expect_failure(options(), {"400", "model="});
  status = 302;
  expect_failure(options(), {"302"});
  EXPECT_EQ(requests_, 4);
}

TEST_F(HttpTest, ASlowOneIsTriedAgainAndGivenUp) {
  serve([&](const httplib::Request&, httplib::Response&) { release_.wait(); });
  HttpOptions o = options();
  o.timeout = 0.2;
  o.retries = 1;
  expect_failure(o, {"no answer in time, 2 times in a row", "timeout= (0.2 s)"});
  while (requests_ < 2) std::this_thread::yield();  // the second may still be on its way
}

TEST_F(HttpTest, APortThatIsClosedIsNamed) {
  // A port that was just free, and that nobody listens on.
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  expect_failure(options(), {"can't be reached, 3 times in a row", "check that it runs"});
  ::close(socket);
}

// Hangs up on everybody, and counts them.
class Hangup {
 public:
  Hangup() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 100), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (int caller = 0; (caller = ::accept(socket_, nullptr, nullptr)) >= 0; ::close(caller)) {
        ++calls_;
      }
    });
  }
  ~Hangup() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int calls() const { return calls_; }

 private:
  const int socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
  int port_ = 0;
  std::atomic<int> calls_{0};
  std::thread thread_;
};

// Twenty requests would each wait as long and be tried as often, for nothing.
TEST_F(HttpTest, AServerThatIsGoneIsAskedForTheFirstRequestAlone) {
  const Hangup server;
  HttpOptions o = options();
  o.url = server.url();
  o.form.batch = 1;
  const auto reward = make_http_reward(o);
  expect_error(ErrorKind::io, {server.url(), "3 times in a row"},
               [&] { score(*reward, different_drafts(20)); });
  EXPECT_EQ(server.calls(), 3);
}

// Where it answers, if only with an error, the others have a request of their own: what the first
// one asked may be to blame.
TEST_F(HttpTest, AServerThatRefusesARequestIsAskedForTheOthers) {
  serve([&](const httplib::Request&, httplib::Response& answer) { answer.status = 400; });
  HttpOptions o = options();
  o.form.batch = 1;
  const auto reward = make_http_reward(o);
  expect_error(ErrorKind::io, {"400"}, [&] { score(*reward, different_drafts(5)); });
  EXPECT_EQ(requests_, 5);
}

TEST_F(HttpTest, WrongAnswersAreQuoted) {
  std::string said;
  serve([&](const httplib::Request&, httplib::Response& answer) {
    answer.set_content(said, "application/json");
  });
  for (const std::string wrong :
       {"hello", "{\"scores\": [1]}", "{\"rewards\": [1, 2]}", "{\"rewards\": [NaN]}",
        "{\"rewards\": [null]}", "{\"rewards\": [\"1\"]}", ""}) {
    said = wrong;
    expect_failure(options(), {"answered '" + wrong + "'", "api="});
  }
  EXPECT_EQ(requests_, 7);
}

TEST_F(HttpTest, EachFormIsSpoken) {
  serve([&](const httplib::Request& request, httplib::Response& answer) {
    const json body = json::parse(request.body);
    const auto items = [&](const json& texts, const char* key, bool list) {
      json out = json::array();
      for (std::size_t i = texts.size(); i-- > 0;) {  // the last one first
        const std::size_t n = texts[i].get<std::string>().size();
        out.push_back({{"index", i}, {key, list ? json::array({n}) : json(n)}});
      }
      return out;
    };
    json out;
    if (request.path == "/score") {
      out["data"] = items(body.at("text_2"), "score", false);
    } else if (request.path == "/v1/rerank") {
      out["results"] = items(body.at("documents"), "relevance_score", false);
    } else if (request.path == "/classify") {
      out["data"] = items(json::array({body.at("messages").back().at("content")}), "probs", true);
    } else if (request.path == "/pooling") {
      out["data"] = items(body.at("input"), "data", true);
    } else {
      answer.status = 404;
    }
    answer.set_content(out.dump(), "application/json");
  });
  const std::vector<std::pair<HttpApi, int>> forms{
      {HttpApi::score, 1}, {HttpApi::rerank, 1}, {HttpApi::reward, 3}, {HttpApi::pooling, 1}};
  for (const auto& [api, count] : forms) {
    HttpOptions o = options(api);
    o.url = url("");
    o.form.model = "M";
    if (api == HttpApi::pooling) o.form.input = "{response}";
    const int before = requests_;
    EXPECT_EQ(score(*make_http_reward(o), {draft("a"), draft("bb"), draft("")}),
              (std::vector<double>{1, 2, 0}));
    EXPECT_EQ(requests_ - before, count);
    EXPECT_EQ(seen(static_cast<std::size_t>(before))["model"], "M");
  }
}

TEST_F(HttpTest, HeadersAndKeysAreSentAndNeverShown) {
  serve([&](const httplib::Request& request, httplib::Response& answer) {
    if (request.get_header_value("Authorization") == "Bearer secret-1" &&
        request.get_header_value("X-Team") == "a: b") {
      lengths(request, answer);
    } else {
      answer.status = 401;
    }
  });
  ModelStore store;
  const auto read = [&](const std::string& more) {
    return make_reward("http=" + url() + more, store, nullptr, Format::raw);
  };
  ::setenv("TQ_TEST_KEY", "secret-1", 1);
  const auto reward = read(",header=X-Team: a: b,key=TQ_TEST_KEY");
  EXPECT_EQ(score(*reward, {draft("ab")}), std::vector<double>{2});
  EXPECT_EQ(reward->info().fingerprint, read("")->info().fingerprint);
  EXPECT_EQ(reward->info().name.find("secret"), std::string::npos);
  ::setenv("TQ_TEST_KEY", "secret-2", 1);
  const auto wrong = read(",key=TQ_TEST_KEY");
  try {
    score(*wrong, {draft("a")});
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find("secret"), std::string::npos) << e.what();
  }
  ::unsetenv("TQ_TEST_KEY");
  expect_error(ErrorKind::usage, {"TQ_TEST_KEY", "export"}, [&] { read(",key=TQ_TEST_KEY"); });
}

TEST_F(HttpTest, AConnectionThatBreaksRaisesNoSigpipe) {
  serve(lengths);
  const auto reward = make_http_reward(options());
  EXPECT_EQ(score(*reward, {draft("a")}), std::vector<double>{1});
  server_.stop();
  thread_.join();
  const auto before = ::signal(SIGPIPE, SIG_DFL);
  expect_error(ErrorKind::io, {"can't be reached"},
               [&] { score(*reward, {draft(std::string(1 << 20, 'x'))}); });
  ::signal(SIGPIPE, before);
}

TEST(Http, ReadsItsListAndRefusesMalformedOnes) {
  ModelStore store;
  const auto read = [&](const std::string& list) {
    return make_reward(list, store, nullptr, Format::raw);
  };
  EXPECT_TRUE(read("http=http://localhost:1")->info().partial);
  EXPECT_FALSE(read("http=https://localhost:1/x?y=z,partial=0")->info().partial);
  std::set<std::string> prints;
  for (const std::string list :
       {"http=http://a", "http=http://b", "http=http://a,api=score", "http=http://a,model=M",
        "http=http://a,api=reward,input={response}",
        "http=http://a,api=pooling,input=\\{response}"}) {
    prints.insert(read(list)->info().fingerprint);
  }
  EXPECT_EQ(prints.size(), 6u);
  for (const std::string url : {"", "localhost", "ftp://a", "http://", "http:///x", "http://u:p@a",
                                "http://a b", "http://a/b c"}) {
    expect_error(ErrorKind::usage, {"http=http://HOST:PORT/PATH"}, [&] { read("http=" + url); });
  }
  for (const std::string bad :
       {"api=no", "timeout=0", "retries=-1", "batch=0", "partial=2", "header=x", "header=: y",
        "header=a b: c", "input={prompt}", "input={response}", "key=TQ_NO_SUCH_VARIABLE"}) {
    const std::string key = bad.substr(0, bad.find('='));
    expect_error(ErrorKind::usage, {key + "="}, [&] { read("http=http://a," + bad); });
  }
}

TEST(Http, PausesDoubleAndGiveWayToTheServer) {
  EXPECT_EQ(retry_pause(0, 0.25, ""), 0.25);
  EXPECT_EQ(retry_pause(1, 0.25, ""), 0.5);
  EXPECT_EQ(retry_pause(3, 0.25, ""), 2);
  EXPECT_EQ(retry_pause(60, 0.25, ""), 8);
  EXPECT_EQ(retry_pause(0, 0.25, "3"), 3);
  EXPECT_EQ(retry_pause(0, 0.25, "0"), 0.25);
  EXPECT_EQ(retry_pause(0, 0.25, "100000"), 60);
  EXPECT_EQ(retry_pause(0, 0.25, "-1"), 0.25);
  EXPECT_EQ(retry_pause(0, 0.25, "nan"), 0.25);
  EXPECT_EQ(retry_pause(0, 0.25, "Wed, 21 Oct 2015 07:28:00 GMT"), 0.25);
}

}  // namespace
}  // namespace tq
