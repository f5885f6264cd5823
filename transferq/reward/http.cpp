#include "transferq/reward/http.hpp"

#include <fmt/format.h>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/reward/http_client.hpp"
#include "transferq/reward/outside.hpp"

namespace tq {
namespace {

Error usage(const std::string& what) { return {ErrorKind::usage, what}; }

std::string advice(int status) {
  if (status == 401 || status == 403) return "name the variable that holds its key with key=";
  if (status == 404 || status == 405) return "check the path, and api= for what it speaks";
  if (status == 413) return "lower batch=";
  if (status == 429) return "lower --together, or raise retries=";
  if (status >= 500) return "look at the server's log";
  return "check api=, model= and batch=";
}

HttpEndpoint endpoint_of(const HttpOptions& options) {
  return {"the reward server",
          "http",
          options.url,
          std::string(default_path(options.form.api)),
          options.timeout,
          options.retries,
          options.pause,
          options.headers,
          advice};
}

// One server. Not thread-safe.
class Server {
 public:
  explicit Server(const HttpOptions& options)
      : url_(options.url), form_(options.form), client_(endpoint_of(options)) {}

  std::vector<Scored> score(Gathering::Rows rows) {
    std::vector<Scored> outcomes;
    while (!rows.empty()) {
      const std::size_t count = rows_in_request(form_, rows);
      for (Scored& outcome : ask(rows.first(count))) outcomes.push_back(std::move(outcome));
      rows = rows.subspan(count);
      const auto& failure = outcomes.back().failure;
      if (failure &&
          !failure->suspect) {  // nobody there: the others would wait as long for nothing
        outcomes.insert(outcomes.end(), rows.size(), Scored(outcomes.back()));
        break;
      }
    }
    return outcomes;
  }

 private:
  std::vector<Scored> ask(Gathering::Rows rows) {
    using nlohmann::ordered_json;
    const HttpReply reply = client_.post(
        request_body(form_, rows).dump(-1, ' ', false, ordered_json::error_handler_t::replace));
    if (!reply.failure.empty()) return all(reply.failure, reply.answered, rows.size());
    return read(reply.body, rows.size());
  }

  std::vector<Scored> read(const std::string& body, std::size_t rows) const {
    std::vector<std::optional<double>> scores;
    try {
      scores = scores_in(form_, body, rows);
    } catch (const Error& e) {
      return all(fmt::format("the reward server {} answered '{}', which has {}; check api= and the "
                             "server",
                             excerpt(url_), excerpt(body), e.what()),
                 true, rows);
    }
    std::vector<Scored> outcomes;
    for (const auto& score : scores) {
      outcomes.push_back({score.value_or(0), std::nullopt});
      if (score) continue;
      outcomes.back().failure = Failure{
          ErrorKind::io, fmt::format("the reward server {} answered '{}', which has no finite "
                                     "number for a response; mend the server, or check api=",
                                     excerpt(url_), excerpt(body))};
    }
    return outcomes;
  }

  std::vector<Scored> all(const std::string& message, bool suspect, std::size_t rows) const {
    return std::vector<Scored>(rows, Scored{0, Failure{ErrorKind::io, message, suspect}});
  }

  std::string url_;
  HttpForm form_;
  HttpClient client_;
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

std::unique_ptr<Reward> from_list(const Spec& spec) {
  HttpOptions options;
  options.url = spec.get("http");
  options.form.api = http_api(spec.get("api", "tq"));
  options.form.model = spec.get("model");
  options.form.input = text_or_file(spec.get("input"), "input text");
  options.form.batch = count_above_zero(spec, "batch", options.form.batch);
  options.timeout = seconds(spec, "timeout", options.timeout);
  options.retries = whole_number(spec, "retries", options.retries);
  options.partial = yes_or_no(spec, "partial", true);
  if (spec.has("header")) options.headers.push_back(parse_header(spec.get("header")));
  if (spec.has("key")) options.headers.push_back(bearer_header("key", spec.get("key")));
  return make_http_reward(std::move(options));
}

}  // namespace

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
  RewardInfo info{"http=" + options.url, digest.hex(), std::nullopt, {}, options.partial};
  auto server = std::make_shared<Server>(options);
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
