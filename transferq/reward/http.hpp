// A reward that a server computes: JSON over HTTP or HTTPS, in one of the forms of http_forms.hpp.
// http_client.hpp says what is repeated and when it fails.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "transferq/reward/http_forms.hpp"
#include "transferq/reward/kind.hpp"

namespace tq {

struct HttpOptions {
  std::string url;  // http[s]://HOST[:PORT][/PATH]; without a path, the form's own
  HttpForm form;
  double timeout = 30;  // seconds, to connect and for an answer
  std::size_t retries = 3;
  double pause = 0.25;                                         // before the first repetition
  std::vector<std::pair<std::string, std::string>> headers{};  // sent with each request
  bool partial = true;  // whether it can score unfinished responses
};

// Throws Error (usage) for a malformed URL.
std::unique_ptr<Reward> make_http_reward(HttpOptions options);

// http=URL[,api=tq|score|rerank|reward|pooling][,timeout=S][,retries=N][,batch=N][,model=NAME]
// [,input=TEXT][,header=NAME: VALUE][,key=ENVNAME][,partial=0]. `key` names an environment variable
// that holds the key of `Authorization: Bearer`; neither it nor the header is ever shown.
RewardKind http_kind();

}  // namespace tq
