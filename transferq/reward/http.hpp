// A reward that a server computes: JSON over HTTP or HTTPS, in one of the forms of http_forms.hpp.
//
// A request that can't be delivered, times out, or is answered 429 or 5xx is repeated up to
// `retries` times, after `pause` seconds, twice that, and so on, or after what Retry-After says (60
// seconds at most). Any other answer but 200 fails at once. Redirections are not followed.
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

// Seconds to wait before repetition number `attempt` (from 0); `retry_after` is that header's value
// or empty, and counts where it is a number of seconds.
double retry_pause(std::size_t attempt, double pause, const std::string& retry_after);

// http=URL[,api=tq|score|rerank|reward|pooling][,timeout=S][,retries=N][,batch=N][,model=NAME]
// [,input=TEXT][,header=NAME: VALUE][,key=ENVNAME][,partial=0]. `key` names an environment variable
// that holds the key of `Authorization: Bearer`; neither it nor the header is ever shown.
RewardKind http_kind();

}  // namespace tq
