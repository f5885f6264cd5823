// A server that speaks OpenAI's chat completions as the judge: POST {"model", "messages": [{"role":
// "user", "content"}], "temperature": 0, "seed", "max_tokens"} to URL/chat/completions, and the
// verdict is read from choices[0].message.content. How requests are repeated is said in
// reward/http_client.hpp. Nothing is cut: a server whose context is too small says so itself, which
// is an error. A completion without any text is an answer that can't be read; anything that is no
// completion is an error.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transferq/eval/judge/judge_template.hpp"
#include "transferq/eval/judge/pair_judge.hpp"

namespace tq {

struct EndpointJudgeOptions {
  std::string url;  // of the server's /v1, or up to /chat/completions; without a path: /v1
  std::string model;
  JudgeTemplate ask_with;
  std::size_t max_tokens = 512;
  std::uint64_t seed = 0;
  double timeout = 60;  // seconds, to connect and for an answer
  std::size_t retries = 3;
  double pause = 0.25;  // seconds before the first repetition
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string name{};
};

// Throws Error (usage) for a malformed URL.
std::shared_ptr<const PairJudge> make_endpoint_judge(EndpointJudgeOptions options);

// Where requests go for a URL as the user writes it.
std::string completions_url(const std::string& url);

// The verdict in a completion. Throws Error (input), with what is missing, for a body that is none.
Preference verdict_in_completion(std::string_view body);

}  // namespace tq
