#include "transferq/reward/http_client.hpp"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include "transferq/core/error.hpp"
#include "transferq/reward/no_sigpipe.hpp"
#include "transferq/reward/outside.hpp"

namespace tq {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kLongestPause = 8;        // seconds, of our own
constexpr double kLongestRetryAfter = 60;  // of the server's
constexpr std::size_t kLargestAnswer = std::size_t{1} << 26;

Error usage(const std::string& what) { return {ErrorKind::usage, what}; }

struct Url {
  std::string server;  // scheme, host and port
  std::string path;
};

Url parse_url(const HttpEndpoint& endpoint) {
  const std::string& url = endpoint.url;
  const std::string& key = endpoint.key;
  const std::size_t scheme = url.find("://");
  const std::string name = url.substr(0, scheme);
  if (scheme == std::string::npos || (name != "http" && name != "https")) {
    throw usage(
        fmt::format("{0}={1} is no URL; write {0}=http://HOST:PORT/PATH", key, excerpt(url)));
  }
  const std::size_t end = std::min(url.find_first_of("/?#", scheme + 3), url.size());
  const std::string host = url.substr(scheme + 3, end - scheme - 3);
  if (host.empty() || host.find_first_of(" @") != std::string::npos ||
      url.find_first_of("\r\n\t #", end) != std::string::npos) {
    throw usage(
        fmt::format("the URL of {0}= can't be used; write {0}=http://HOST:PORT/PATH, "
                    "without a user name (a header or key does that), spaces or #",
                    key));
  }
  std::string path = url.substr(end);
  if (path.empty()) path = endpoint.default_path;
  if (path.front() != '/') path.insert(path.begin(), '/');
  return {url.substr(0, end), path};
}

std::string why(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
      return "can't be reached";
    case httplib::Error::ConnectionTimeout:
      return "can't be reached in time";
    case httplib::Error::Read:
      return "closed the connection or gave no answer in time";
    case httplib::Error::Write:
      return "did not take the request";
    case httplib::Error::Canceled:
      return "gave too long an answer, or took too long over it";
    case httplib::Error::SSLConnection:
      return "does not speak TLS";
    case httplib::Error::SSLServerVerification:
      return "has a certificate that is not trusted";
    case httplib::Error::SSLLoadingCerts:
      return "can't be trusted without certificates here";
    default:
      return fmt::format("can't be asked ({})", httplib::to_string(error));
  }
}

bool for_ever(httplib::Error error) {
  return error == httplib::Error::SSLServerVerification || error == httplib::Error::SSLLoadingCerts;
}

bool worth_repeating(int status) { return status == 429 || status >= 500; }

void check(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error(ErrorKind::interrupted, "interrupted");
}

// Returns at once when a stop is requested.
void sleep(double seconds, const std::stop_token& stop) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any().wait_for(lock, stop, std::chrono::duration<double>(seconds),
                                         [] { return false; });
}

struct Answer {
  httplib::Error error = httplib::Error::Success;
  int status = 0;
  std::string retry_after;
  std::string body;
};

std::string failure_of(const HttpEndpoint& endpoint, const Answer& answer, std::size_t tries) {
  const std::string tried = tries > 1 ? fmt::format(", {} times in a row", tries) : "";
  const std::string url = excerpt(endpoint.url);
  if (answer.error == httplib::Error::Success) {
    return fmt::format("{} {} answered {}{}: '{}'; {}", endpoint.who, url, answer.status, tried,
                       excerpt(answer.body), endpoint.advice(answer.status));
  }
  return fmt::format("{} {} {}{}; {}", endpoint.who, url, why(answer.error), tried,
                     for_ever(answer.error)
                         ? "name the file of those to trust in the environment's SSL_CERT_FILE"
                         : fmt::format("check that it runs and that the URL is right, or raise "
                                       "timeout= ({} s)",
                                       endpoint.timeout));
}

}  // namespace

struct HttpClient::Connection {
  explicit Connection(const HttpEndpoint& endpoint)
      : url(parse_url(endpoint)), client(url.server) {}

  Answer post(const HttpEndpoint& endpoint, const std::string& body, const std::stop_token& stop) {
    const NoSigpipe guard;
    Answer answer;
    httplib::Request request;
    request.method = "POST";
    request.path = url.path;
    request.body = body;
    request.headers.emplace("Content-Type", "application/json");
    for (const auto& [name, value] : endpoint.headers) request.headers.emplace(name, value);
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                             std::chrono::duration<double>(2 * endpoint.timeout));
    request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t,
                                   std::uint64_t) {
      answer.body.append(data, size);
      return answer.body.size() <= kLargestAnswer && Clock::now() < deadline &&
             !stop.stop_requested();
    };
    const std::stop_callback cut(stop, [this] { client.stop(); });
    const httplib::Result result = client.send(request);
    answer.error = result.error();
    if (result) {
      answer.status = result->status;
      answer.retry_after = result->get_header_value("Retry-After");
    } else if (answer.error == httplib::Error::Success) {
      answer.error = httplib::Error::Unknown;
    }
    return answer;
  }

  Url url;
  httplib::Client client;
};

HttpClient::HttpClient(HttpEndpoint endpoint)
    : endpoint_(std::move(endpoint)), connection_(std::make_unique<Connection>(endpoint_)) {
  httplib::Client& client = connection_->client;
  if (!client.is_valid()) {
    throw usage(
        fmt::format("{}={} can't be used; check the URL", endpoint_.key, excerpt(endpoint_.url)));
  }
  const auto timeout = std::chrono::microseconds(std::llround(endpoint_.timeout * 1e6));
  client.set_connection_timeout(timeout);
  client.set_read_timeout(timeout);
  client.set_write_timeout(timeout);
  client.set_keep_alive(true);
  client.set_tcp_nodelay(true);
}

HttpClient::~HttpClient() = default;

HttpReply HttpClient::post(const std::string& body, const std::stop_token& stop) {
  for (std::size_t attempt = 0;; ++attempt) {
    check(stop);
    Answer answer = connection_->post(endpoint_, body, stop);
    check(stop);
    const bool answered = answer.error == httplib::Error::Success;
    if (answered && answer.status == 200) return {"", true, std::move(answer.body)};
    const bool again = answered ? worth_repeating(answer.status) : !for_ever(answer.error);
    if (!again || attempt == endpoint_.retries) {
      return {failure_of(endpoint_, answer, attempt + 1), answered, std::move(answer.body)};
    }
    sleep(retry_pause(attempt, endpoint_.pause, answer.retry_after), stop);
  }
}

double retry_pause(std::size_t attempt, double pause, const std::string& retry_after) {
  double asked = 0;
  const char* end = retry_after.data() + retry_after.size();
  const auto [at, error] = std::from_chars(retry_after.data(), end, asked);
  if (error != std::errc() || at != end || !(asked >= 0)) asked = 0;
  const double own = pause * std::pow(2.0, static_cast<double>(std::min<std::size_t>(attempt, 30)));
  return std::max(std::min(own, kLongestPause), std::min(asked, kLongestRetryAfter));
}

std::pair<std::string, std::string> bearer_header(std::string_view key,
                                                  const std::string& variable) {
  const char* value = std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0') {
    throw usage(fmt::format("{}={} names no environment variable that is set; export it first", key,
                            variable));
  }
  const std::string text(value);
  if (text.find_first_of("\r\n") != std::string::npos) {
    throw usage(fmt::format("the environment variable {} must hold a key of one line", variable));
  }
  return {"Authorization", fmt::format("Bearer {}", text)};
}

}  // namespace tq
