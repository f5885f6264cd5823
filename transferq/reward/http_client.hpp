// JSON posted to a server over HTTP or HTTPS, for whatever asks one: rewards and judges.
//
// A request that can't be delivered, times out, or is answered 429 or 5xx is repeated up to
// `retries` times, after `pause` seconds, twice that, and so on, or after what Retry-After says (60
// seconds at most). Any other answer but 200 fails at once. Redirections are not followed. The
// headers are sent and never shown. Not thread-safe: a thread has a client of its own.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tq {

struct HttpEndpoint {
  std::string who;  // for messages, such as "the reward server"
  std::string key;  // of the list that the URL stands in, for messages
  std::string url;  // http[s]://HOST[:PORT][/PATH]
  std::string default_path = "/";
  double timeout = 30;  // seconds, to connect and for an answer
  std::size_t retries = 3;
  double pause = 0.25;                                         // before the first repetition
  std::vector<std::pair<std::string, std::string>> headers{};  // sent with each request
  // What to do about a status that is not 200, to end a message with.
  std::function<std::string(int status)> advice{};
};

struct HttpReply {
  std::string failure;   // why there is no answer of status 200, in one line; else empty
  bool answered = true;  // whether the server answered at all
  std::string body;      // of the last answer
};

class HttpClient {
 public:
  // Throws Error (usage) for a malformed URL.
  explicit HttpClient(HttpEndpoint endpoint);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Throws Error (interrupted) soon after a stop is requested.
  HttpReply post(const std::string& body, const std::stop_token& stop = {});

 private:
  struct Connection;
  HttpEndpoint endpoint_;
  std::unique_ptr<Connection> connection_;
};

// Seconds to wait before repetition number `attempt` (from 0); `retry_after` is that header's value
// or empty, and counts where it is a number of seconds.
double retry_pause(std::size_t attempt, double pause, const std::string& retry_after);

// The header `Authorization: Bearer` with the key that an environment variable holds. `key` is what
// names the variable. Throws Error (usage) where it is not set or no line of text.
std::pair<std::string, std::string> bearer_header(std::string_view key,
                                                  const std::string& variable);

}  // namespace tq
