#include "transferq/eval/generator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "transferq/core/error.hpp"

namespace tq {

SessionOptions session_options(const Setup& setup, SessionOptions base) {
  // Old and new drafts of a reward live side by side for a moment; a few more for the trunks.
  base.branches = 2 * setup.decoder->workload(setup.max_tokens).width + 8;
  return base;
}

Worker::Worker(const Setup& setup, const SessionOptions& options)
    : setup_(setup), pool_(session_options(setup, options)) {
  if (setup.baseline && setup.baseline->model().vocabulary_identity() !=
                            setup.reference.model().vocabulary_identity()) {
    throw Error(ErrorKind::model,
                fmt::format("the baseline {} and the reference {} have different vocabularies; one "
                            "can't propose tokens for the other",
                            setup.baseline->model().name(), setup.reference.model().name()));
  }
  if (setup.decoder->needs_reward() && setup.reward == nullptr) {
    throw Error(ErrorKind::usage, "this decoder works towards a reward; name one with --reward");
  }
}

Generated Worker::generate(const Prompt& prompt, std::stop_token stop,
                           std::function<void(const Step&)> sink) {
  const auto start = std::chrono::steady_clock::now();
  const Policy& reference_policy = setup_.reference;
  const Roles roles = setup_.decoder->roles();
  const Policy& baseline_policy =
      setup_.baseline && roles.baseline ? *setup_.baseline : reference_policy;
  const Workload work = setup_.decoder->workload(setup_.max_tokens);

  // Announce all work first: a session shared by several users must be large enough for all.
  pool_.begin_prompt(stop);
  std::vector<Token> baseline_prompt = baseline_policy.encode(prompt);
  std::vector<Token> reference_prompt = reference_policy.encode(prompt);
  const bool one_stream =
      share_session(reference_policy, baseline_policy) && reference_prompt == baseline_prompt;
  const Workload follow{setup_.max_tokens, 1, 0};
  const bool baseline_grows = one_stream || roles.grows == Proposal::baseline;
  pool_.plan(baseline_policy, baseline_prompt.size(), baseline_grows ? work : follow);
  if (!one_stream) {
    pool_.plan(reference_policy, reference_prompt.size(), baseline_grows ? follow : work);
  }
  for (const Policy* policy : {&baseline_policy, &reference_policy}) {
    pool_.check(*policy, SessionPool::Fit::one_branch);
  }
  const Policy& growing = baseline_grows ? baseline_policy : reference_policy;
  struct Opened {
    std::unique_ptr<Scorer> scorer;
    bool beside = false;  // it is in the session that grows
  };
  const auto open = [&](const std::shared_ptr<const Reward>& reward) -> Opened {
    if (!reward) return {};
    const std::size_t planned = pool_.planned(growing);
    auto scorer = reward->open(prompt, pool_, work);
    return {std::move(scorer), pool_.planned(growing) > planned};
  };
  const Opened target = open(setup_.reward);
  const Opened base = open(roles.baseline_reward ? setup_.baseline_reward : nullptr);

  Generated out;
  out.prompt_tokens = reference_prompt.size();
  Stream baseline(baseline_policy, pool_, std::move(baseline_prompt));
  std::optional<Stream> other;
  if (!one_stream) {
    other.emplace(reference_policy, pool_, std::move(reference_prompt));
  }
  Stream& reference = other ? *other : baseline;
  // A reward that evaluates beside the policy keeps its branches from step to step.
  Stream& grows = baseline_grows ? baseline : reference;
  for (const Opened* reward : {&target, &base}) {
    if (reward->beside && (roles.texts || !reward->scorer->reads(grows))) {
      pool_.check(growing, SessionPool::Fit::all_branches);
    }
  }
  RandomKey key;
  key.seed = setup_.seed;
  key.prompt = hash32(prompt.id.data(), prompt.id.size());
  const DecodeTask task{reference, baseline, target.scorer.get(), setup_.max_tokens,
                        key,       stop,     std::move(sink),     base.scorer.get()};
  out.decoded = setup_.decoder->decode(task, out.evaluations);

  out.evaluations.policy += baseline.evaluations();
  out.evaluations.prompt += baseline.prompt_evaluations();
  if (other) {
    out.evaluations.reference += other->evaluations();
    out.evaluations.prompt += other->prompt_evaluations();
  }
  for (const Opened* reward : {&target, &base}) {
    if (!reward->scorer) continue;
    out.evaluations.reward += reward->scorer->evaluations();
    out.evaluations.prompt += reward->scorer->prompt_evaluations();
    for (const ModelCost& cost : reward->scorer->costs()) {
      out.evaluations.reward_models[cost.model] += cost.responses;
    }
  }
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return out;
}

}  // namespace tq
