#include "transferq/eval/judge/pair_judge.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"
#include "transferq/eval/judge/endpoint_judge.hpp"
#include "transferq/eval/judge/policy_judge.hpp"
#include "transferq/reward/http_client.hpp"
#include "transferq/reward/kind.hpp"
#include "transferq/reward/outside.hpp"

namespace tq {
namespace {

Error usage(const std::string& what) { return {ErrorKind::usage, what}; }

const std::vector<std::string> kPolicyKeys{"ask",  "margin", "max-tokens",
                                           "name", "policy", "prompt"};
const std::vector<std::string> kEndpointKeys{"key-env", "max-tokens", "model",   "name", "prompt",
                                             "retries", "seed",       "timeout", "url"};

bool in(const std::vector<std::string>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

void check_keys(const Spec& spec) {
  constexpr std::string_view kForms = "write policy=smollm2, or url=http://HOST:PORT/v1,model=NAME";
  if (!spec.name.empty()) {
    throw usage(fmt::format("the judge '{}' is not key=value; {}", spec.name, kForms));
  }
  const bool policy = spec.has("policy");
  const std::vector<std::string>& keys = policy ? kPolicyKeys : kEndpointKeys;
  for (const auto& [key, value] : spec.values) {
    if (in(keys, key)) continue;
    if (policy && key == "url") {
      throw usage("a judge is either policy= or url=, not both; leave one out");
    }
    if (in(policy ? kEndpointKeys : kPolicyKeys, key) && (policy || spec.has("url"))) {
      throw usage(
          fmt::format("{}= is for a judge with {}=; leave it out", key, policy ? "url" : "policy"));
    }
    std::vector<std::string> known = kPolicyKeys;
    known.insert(known.end(), kEndpointKeys.begin(), kEndpointKeys.end());
    if (in(known, key)) continue;  // told below: neither policy nor url is there
    const std::string near = nearest_name(key, policy || spec.has("url") ? keys : known);
    throw usage(fmt::format(
        "a judge has no key '{}'{}; it takes {}", key,
        near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near),
        policy || spec.has("url") ? fmt::format("{}", fmt::join(keys, ", ")) : "policy or url"));
  }
  if (!policy && !spec.has("url")) {
    throw usage(fmt::format("a judge needs a policy or a server; {}", kForms));
  }
}

JudgeTemplate template_of(const Spec& spec, const std::string& fallback) {
  if (!spec.has("prompt")) return {fallback, "that is shipped"};
  return JudgeTemplate::read(spec.get("prompt"));
}

std::shared_ptr<const PairJudge> policy_judge(const Spec& spec, ModelStore& models, Format format) {
  const std::vector<std::string> lists = inner_lists(spec.get("policy"));
  if (lists.size() != 1 || lists.front().empty()) {
    throw usage("policy= of a judge must be one policy, as in policy=smollm2");
  }
  const std::string ask = spec.get("ask", "generate");
  if (ask != "generate" && ask != "logits") {
    throw usage(fmt::format("ask={} of a judge must be generate or logits", ask));
  }
  const bool logits = ask == "logits";
  if (logits && spec.has("max-tokens")) {
    throw usage("max-tokens= is for ask=generate; ask=logits generates nothing");
  }
  if (!logits && spec.has("margin")) throw usage("margin= is for ask=logits");
  const double margin = spec.number("margin", 0);
  if (!(margin >= 0) || !std::isfinite(margin)) {
    throw usage(fmt::format("margin={} must be a number of nats, 0 or more", spec.get("margin")));
  }
  JudgeTemplate ask_with =
      template_of(spec, logits ? default_logits_prompt() : default_pair_prompt());
  return make_policy_judge(models.policy(lists.front(), "the judge", format),
                           {std::move(ask_with), logits ? Ask::logits : Ask::generate,
                            count_above_zero(spec, "max-tokens", 512), margin,
                            spec.get("name", lists.front() + (logits ? " (logits)" : ""))});
}

std::shared_ptr<const PairJudge> endpoint_judge(const Spec& spec) {
  const std::string model = spec.get("model");
  if (model.empty()) {
    throw usage("a judge with url= needs model=, the model's name at the server");
  }
  EndpointJudgeOptions options{spec.get("url"), model, template_of(spec, default_pair_prompt())};
  options.max_tokens = count_above_zero(spec, "max-tokens", options.max_tokens);
  options.seed = whole_number(spec, "seed", 0);
  options.timeout = seconds(spec, "timeout", options.timeout);
  options.retries = whole_number(spec, "retries", options.retries);
  if (spec.has("key-env")) {
    options.headers.push_back(bearer_header("key-env", spec.get("key-env")));
  }
  options.name = spec.get("name", model);
  return make_endpoint_judge(std::move(options));
}

}  // namespace

Judgement judge_both(JudgeSession& judge, const Prompt& prompt, const std::string& response,
                     const std::string& against, std::stop_token stop) {
  Judgement out;
  out.first = outcome_of(judge.ask(prompt, response, against, stop), true);
  out.second = outcome_of(judge.ask(prompt, against, response, stop), false);
  return out;
}

std::shared_ptr<const PairJudge> make_pair_judge(const Spec& spec, ModelStore& models,
                                                 Format format) {
  check_keys(spec);
  return spec.has("policy") ? policy_judge(spec, models, format) : endpoint_judge(spec);
}

}  // namespace tq
