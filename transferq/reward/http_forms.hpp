// The forms in which servers are asked for scores. Pure functions: from rows to a request's body,
// and from the answer to scores.
//
// tq       POST URL: {"model"?, "rows": [{"prompt", "messages", "response", "finished"}...]}
//          -> {"rewards": [0.5, ...]}, in the order of the rows.
// score    vLLM's /score: {"model"?, "text_1": "prompt", "text_2": ["response", ...]}, with a list
//          for text_1 where the rows have several prompts
//          -> {"data": [{"index": 0, "score": 0.5}, ...]}, in any order.
// rerank   llama-server's and vLLM's /v1/rerank: {"model"?, "query": "prompt", "documents":
//          ["response", ...]}, one prompt a request
//          -> {"results": [{"index": 0, "relevance_score": 0.5}, ...]}, in any order.
// reward   vLLM's /classify, for a reward model with one label: {"model"?, "messages": [...,
//          {"role": "assistant", "content": "response"}], "use_activation": false}, one row a
//          request, in the server's chat template; or {"model"?, "input": ["text", ...]}
//          -> {"data": [{"index": 0, "probs": [0.5]}, ...]}.
// pooling  vLLM's /pooling: the same requests without use_activation
//          -> {"data": [{"index": 0, "data": [0.5]}, ...]}, or a list of one number a token, of
//          which the last is taken.
// A "model" is sent where one is named. A text that is read whole (see Draft::whole) has an empty
// prompt. A prompt of several messages is, where a form wants one text, "role: content" a line.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transferq/reward/gathering.hpp"

namespace tq {

enum class HttpApi { tq, score, rerank, reward, pooling };

struct HttpForm {
  HttpApi api = HttpApi::tq;
  std::string model;  // may be empty
  std::string input;  // reward and pooling: a text with {prompt} and {response}; empty: messages
  std::size_t batch = 64;
};

// Throws Error (usage) for an unknown name.
HttpApi http_api(const std::string& name);

// Where the servers that speak it listen, for a URL without a path.
std::string_view default_path(HttpApi api);

// How many of the rows, from the first on, go into one request: 1 or more.
std::size_t rows_in_request(const HttpForm& form, Gathering::Rows rows);

nlohmann::ordered_json request_body(const HttpForm& form, Gathering::Rows rows);

// The scores in an answer's body, in the order of the rows; nothing for a row whose score is
// missing or no finite number. Throws Error (input) for a body that is no answer of this form.
std::vector<std::optional<double>> scores_in(const HttpForm& form, std::string_view body,
                                             std::size_t rows);

}  // namespace tq
