#include "transferq/eval/judge/endpoint_judge.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/eval/judge/verdict.hpp"
#include "transferq/reward/http_client.hpp"
#include "transferq/reward/outside.hpp"

namespace tq {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using Place = JudgeTemplate::Place;

std::string advice(int status) {
  if (status == 401 || status == 403) {
    return "name the variable that holds its key with key-env=";
  }
  if (status == 404 || status == 405) return "check model= and the path, such as /v1";
  if (status == 413) return "the answers are too long for it; lower the setup's max_tokens";
  if (status == 429) return "decode fewer prompts together, or raise retries=";
  if (status >= 500) return "look at the server's log";
  return "check model= and max-tokens=, and that the answers fit its context";
}

HttpEndpoint endpoint_of(const EndpointJudgeOptions& o) {
  return {"the judge's server",
          "url",
          completions_url(o.url),
          "/",
          o.timeout,
          o.retries,
          o.pause,
          o.headers,
          advice};
}

class EndpointSession final : public JudgeSession {
 public:
  explicit EndpointSession(const EndpointJudgeOptions& options)
      : options_(options), client_(endpoint_of(options)) {}

  Preference ask(const Prompt& prompt, const std::string& first, const std::string& second,
                 std::stop_token stop) override {
    const std::string question = conversation_text(prompt.messages);
    const ordered_json body{
        {"model", options_.model},
        {"messages",
         {{{"role", "user"},
           {"content", options_.ask_with.fill([&](Place place) -> std::string_view {
              if (place == Place::prompt) return question;
              return place == Place::first ? first : second;
            })}}}},
        {"temperature", 0},
        {"seed", options_.seed},
        {"max_tokens", options_.max_tokens}};
    const HttpReply reply =
        client_.post(body.dump(-1, ' ', false, ordered_json::error_handler_t::replace), stop);
    if (!reply.failure.empty()) throw Error(ErrorKind::io, reply.failure);
    try {
      return verdict_in_completion(reply.body);
    } catch (const Error& e) {
      throw Error(
          ErrorKind::io,
          fmt::format("the judge's server {} answered '{}', which has {}; check that url= "
                      "speaks OpenAI's chat completions",
                      excerpt(completions_url(options_.url)), excerpt(reply.body), e.what()));
    }
  }

  std::uint64_t evaluations() const override { return 0; }

 private:
  EndpointJudgeOptions options_;
  HttpClient client_;
};

class EndpointJudge final : public PairJudge {
 public:
  explicit EndpointJudge(EndpointJudgeOptions options) : options_(std::move(options)) {
    const HttpClient checks(endpoint_of(options_));
    fingerprint_ = sha256(
        fmt::format("pair judge endpoint|{}|{}|{}|{}|{}", completions_url(options_.url),
                    options_.model, options_.max_tokens, options_.seed, options_.ask_with.text()));
  }
  const std::string& name() const override { return options_.name; }
  const std::string& fingerprint() const override { return fingerprint_; }
  std::unique_ptr<JudgeSession> open(const SessionOptions&) const override {
    return std::make_unique<EndpointSession>(options_);
  }

 private:
  EndpointJudgeOptions options_;
  std::string fingerprint_;
};

}  // namespace

std::string completions_url(const std::string& url) {
  constexpr std::string_view kPath = "/chat/completions";
  const std::size_t scheme = url.find("://");
  std::string base = url.substr(0, url.find('?'));
  const std::string query = url.substr(base.size());
  while (!base.empty() && base.back() == '/') base.pop_back();
  if (scheme == std::string::npos || base.size() < scheme + 3) return url;  // the client refuses it
  if (base.ends_with(kPath)) return base + query;
  if (base.find('/', scheme + 3) == std::string::npos) base += "/v1";
  return base + std::string(kPath) + query;
}

Preference verdict_in_completion(std::string_view body) {
  const json answer = json::parse(body, nullptr, false);
  const auto fail = [](const char* what) { return Error(ErrorKind::input, what); };
  if (!answer.is_object()) throw fail("no JSON object");
  const auto choices = answer.find("choices");
  if (choices == answer.end() || !choices->is_array() || choices->empty()) throw fail("no choices");
  const json& choice = choices->front();
  if (!choice.is_object() || !choice.contains("message") || !choice["message"].is_object()) {
    throw fail("no message in its first choice");
  }
  const json& message = choice["message"];
  const auto content = message.find("content");
  if (content == message.end() || content->is_null()) return Preference::none;  // it said nothing
  if (!content->is_string()) throw fail("a content that is no text");
  const auto reason = choice.find("finish_reason");
  const bool cut = reason != choice.end() && *reason == "length";
  return verdict_in(content->get_ref<const std::string&>(), !cut);
}

std::shared_ptr<const PairJudge> make_endpoint_judge(EndpointJudgeOptions options) {
  return std::make_shared<EndpointJudge>(std::move(options));
}

}  // namespace tq
