#include "transferq/reward/http.hpp"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
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

Url parse_url(const std::string& url, HttpApi api) {
  const std::size_t scheme = url.find("://");
  const std::string name = url.substr(0, scheme);
  if (scheme == std::string::npos || (name != "http" && name != "https")) {
    throw usage(fmt::format("http={} is no URL; write http=http://HOST:PORT/PATH", excerpt(url)));
  }
  const std::size_t end = std::min(url.find_first_of("/?#", scheme + 3), url.size());
  const std::string host = url.substr(scheme + 3, end - scheme - 3);
  if (host.empty() || host.find_first_of(" @") != std::string::npos ||
      url.find_first_of("\r\n\t #", end) != std::string::npos) {
    throw usage(
        fmt::format("the URL of http= can't be used; write http=http://HOST:PORT/PATH, "
                    "without a user name (header= and key= do that), spaces or #"));
  }
  std::string path = url.substr(end);
  if (path.empty()) path = default_path(api);
  if (path.front() != '/') path.insert(0, "/");
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

std::string advice(int status) {
  if (status == 401 || status == 403) return "name the variable that holds its key with key=";
  if (status == 404 || status == 405) return "check the path, and api= for what it speaks";
  if (status == 413) return "lower batch=";
  if (status == 429) return "lower --together, or raise retries=";
  if (status >= 500) return "look at the server's log";
  return "check api=, model= and batch=";
}

bool worth_repeating(int status) { return status == 429 || status >= 500; }

// One server. Not thread-safe.
class Server {
 public:
  explicit Server(HttpOptions options)
      : options_(std::move(options)),
        url_(parse_url(options_.url, options_.form.api)),
        client_(url_.server) {
    if (!client_.is_valid()) {
      throw usage(fmt::format("http={} can't be used; check the URL", excerpt(options_.url)));
    }
    const auto timeout = std::chrono::microseconds(std::llround(options_.timeout * 1e6));
    client_.set_connection_timeout(timeout);
    client_.set_read_timeout(timeout);
    client_.set_write_timeout(timeout);
    client_.set_keep_alive(true);
    client_.set_tcp_nodelay(true);
  }

  std::vector<Outcome> score(Gathering::Rows rows) {
    std::vector<Outcome> outcomes;
    while (!rows.empty()) {
      const std::size_t count = rows_in_request(options_.form, rows);
      for (Outcome& outcome : ask(rows.first(count))) outcomes.push_back(std::move(outcome));
      rows = rows.subspan(count);
      const auto& failure = outcomes.back().failure;
      if (failure &&
          !failure->suspect) {  // nobody there: the others would wait as long for nothing
        outcomes.insert(outcomes.end(), rows.size(), Outcome(outcomes.back()));
        break;
      }
    }
    return outcomes;
  }

 private:
  struct Answer {
    httplib::Error error = httplib::Error::Success;
    int status = 0;
    std::string retry_after;
    std::string body;
  };

  Answer post(const std::string& body) {
    const NoSigpipe guard;
    Answer answer;
    httplib::Request request;
    request.method = "POST";
    request.path = url_.path;
    request.body = body;
    request.headers.emplace("Content-Type", "application/json");
    for (const auto& [name, value] : options_.headers) request.headers.emplace(name, value);
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                             std::chrono::duration<double>(2 * options_.timeout));
    request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t,
                                   std::uint64_t) {
      answer.body.append(data, size);
      return answer.body.size() <= kLargestAnswer && Clock::now() < deadline;
    };
    const httplib::Result result = client_.send(request);
    answer.error = result.error();
    if (result) {
      answer.status = result->status;
      answer.retry_after = result->get_header_value("Retry-After");
    } else if (answer.error == httplib::Error::Success) {
      answer.error = httplib::Error::Unknown;
    }
    return answer;
  }

  std::vector<Outcome> ask(Gathering::Rows rows) {
    using nlohmann::ordered_json;
    const std::string body = request_body(options_.form, rows)
                                 .dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    for (std::size_t attempt = 0;; ++attempt) {
      const Answer answer = post(body);
      const bool delivered = answer.error == httplib::Error::Success;
      if (delivered && answer.status == 200) return read(answer.body, rows.size());
      const bool again = delivered ? worth_repeating(answer.status) : !for_ever(answer.error);
      if (!again || attempt == options_.retries) {
        return failed(answer, attempt + 1, rows.size());
      }
      std::this_thread::sleep_for(
          std::chrono::duration<double>(retry_pause(attempt, options_.pause, answer.retry_after)));
    }
  }

  std::vector<Outcome> read(const std::string& body, std::size_t rows) const {
    std::vector<std::optional<double>> scores;
    try {
      scores = scores_in(options_.form, body, rows);
    } catch (const Error& e) {
      return all(fmt::format("the reward server {} answered '{}', which has {}; check api= and the "
                             "server",
                             excerpt(options_.url), excerpt(body), e.what()),
                 true, rows);
    }
    std::vector<Outcome> outcomes;
    for (const auto& score : scores) {
      outcomes.push_back({score.value_or(0), std::nullopt});
      if (score) continue;
      outcomes.back().failure = Failure{
          ErrorKind::io, fmt::format("the reward server {} answered '{}', which has no finite "
                                     "number for a response; mend the server, or check api=",
                                     excerpt(options_.url), excerpt(body))};
    }
    return outcomes;
  }

  std::vector<Outcome> failed(const Answer& answer, std::size_t tries, std::size_t rows) const {
    const std::string tried = tries > 1 ? fmt::format(", {} times in a row", tries) : "";
    if (answer.error != httplib::Error::Success) {
      return all(
          fmt::format("the reward server {} {}{}; {}", excerpt(options_.url), why(answer.error),
                      tried,
                      for_ever(answer.error)
                          ? "name the file of those to trust in the environment's SSL_CERT_FILE"
                          : fmt::format("check that it runs and that the URL is right, or raise "
                                        "timeout= ({} s)",
                                        options_.timeout)),
          false, rows);
    }
    return all(fmt::format("the reward server {} answered {}{}: '{}'; {}", excerpt(options_.url),
                           answer.status, tried, excerpt(answer.body), advice(answer.status)),
               true, rows);
  }

  std::vector<Outcome> all(const std::string& message, bool suspect, std::size_t rows) const {
    return std::vector<Outcome>(rows, Outcome{0, Failure{ErrorKind::io, message, suspect}});
  }

  HttpOptions options_;
  Url url_;
  httplib::Client client_;
};

// NAME: VALUE.
std::pair<std::string, std::string> parse_header(const std::string& header) {
  const std::size_t colon = header.find(':');
  if (colon == 0 || colon == std::string::npos ||
      header.find_first_of("\r\n") != std::string::npos || header.find_first_of(" \t") < colon) {
    throw usage("header= must be NAME: VALUE, as in header=X-Api-Key: abc");
  }
  const std::size_t value = header.find_first_not_of(' ', colon + 1);
  return {header.substr(0, colon), value == std::string::npos ? "" : header.substr(value)};
}

std::pair<std::string, std::string> bearer(const std::string& variable) {
  const char* key = std::getenv(variable.c_str());
  if (key == nullptr || *key == '\0') {
    throw usage(
        fmt::format("key={} names no environment variable that is set; export it first", variable));
  }
  const std::string text(key);
  if (text.find_first_of("\r\n") != std::string::npos) {
    throw usage(fmt::format("the environment variable {} must hold a key of one line", variable));
  }
  return {"Authorization", "Bearer " + text};
}

std::unique_ptr<Reward> from_list(const Spec& spec) {
  HttpOptions options;
  options.url = spec.get("http");
  options.form.api = http_api(spec.get("api", "tq"));
  options.form.model = spec.get("model");
  options.form.input = text_or_file(spec.get("input"), "input text");
  options.form.batch = count_above_zero(spec, "batch", options.form.batch);
  options.timeout = seconds(spec, "timeout", options.timeout);
  options.retries = whole_number(spec, "retries", options.retries);
  options.partial = flag(spec, "partial", true);
  if (spec.has("header")) options.headers.push_back(parse_header(spec.get("header")));
  if (spec.has("key")) options.headers.push_back(bearer(spec.get("key")));
  return make_http_reward(std::move(options));
}

}  // namespace

double retry_pause(std::size_t attempt, double pause, const std::string& retry_after) {
  double asked = 0;
  const char* end = retry_after.data() + retry_after.size();
  const auto [at, error] = std::from_chars(retry_after.data(), end, asked);
  if (error != std::errc() || at != end || !(asked >= 0)) asked = 0;
  const double own = pause * std::pow(2.0, static_cast<double>(std::min<std::size_t>(attempt, 30)));
  return std::max(std::min(own, kLongestPause), std::min(asked, kLongestRetryAfter));
}

std::unique_ptr<Reward> make_http_reward(HttpOptions options) {
  const HttpForm& form = options.form;
  if (!form.input.empty() && form.input.find("{response}") == std::string::npos) {
    throw usage("input= must have {response} in it, and {prompt} where the prompt belongs");
  }
  if (!form.input.empty() && form.api != HttpApi::reward && form.api != HttpApi::pooling) {
    throw usage("input= is for api=reward and api=pooling, which read one text");
  }
  Sha256 digest;
  digest.update(fmt::format("http {} {} {} {}", options.url, static_cast<int>(form.api), form.model,
                            form.input));
  RewardInfo info{"http=" + options.url, digest.hex(), std::nullopt, false, options.partial};
  auto server = std::make_shared<Server>(std::move(options));
  return make_outside_reward(std::move(info),
                             [server](Gathering::Rows rows) { return server->score(rows); });
}

RewardKind http_kind() {
  return {
      "http=URL[,api=tq|score|rerank|reward|pooling][,timeout=S][,retries=N][,batch=N]"
      "[,model=NAME][,input=TEXT][,header=NAME: VALUE][,key=ENVNAME][,partial=0]",
      "a server's score: JSON over HTTP, or what vLLM and llama-server serve",
      {"http"},
      {"api", "timeout", "retries", "batch", "model", "input", "header", "key", "partial"},
      [](const Spec& spec, const RewardContext&) { return from_list(spec); }};
}

}  // namespace tq
