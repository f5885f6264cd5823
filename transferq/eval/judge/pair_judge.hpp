// A judge of two answers to one prompt: which is better, or neither? It is a language model that is
// asked with a template (judge_template.hpp), and either
//   policy    any policy of transferq: its answer is generated greedily and read (verdict.hpp), or,
//             with ask=logits, the log-odds of its answering A against B are read without
//             generating
//   endpoint  a server that speaks OpenAI's chat completions, at temperature 0 with a fixed seed.
// The comparison by a model, and asking in both orders against position bias: Zheng et al. 2023,
// "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena" (arXiv:2306.05685), sections 3.1
// and 3.4.
//
// An answer of the judge that can't be read is Preference::none: it is counted, never guessed.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "transferq/core/spec.hpp"
#include "transferq/eval/judge/win_rate.hpp"
#include "transferq/policy/model_store.hpp"

namespace tq {

// One thread's way to ask a judge. Not thread-safe.
class JudgeSession {
 public:
  virtual ~JudgeSession() = default;
  // Which of the two answers is better. Throws Error: io where a server fails in the end or gives
  // something else than a completion, input where the prompt leaves no room for the answers,
  // interrupted when a stop is requested.
  virtual Preference ask(const Prompt& prompt, const std::string& first, const std::string& second,
                         std::stop_token stop) = 0;
  // Tokens evaluated by the judge's model here; 0 of a server's.
  virtual std::uint64_t evaluations() const = 0;
};

// Immutable and thread-safe.
class PairJudge {
 public:
  virtual ~PairJudge() = default;
  virtual const std::string& name() const = 0;
  // Of all that its verdicts depend on and this program knows: the template, the policy or the
  // server's URL and model, and how it is asked. A key is no part of it.
  virtual const std::string& fingerprint() const = 0;
  virtual std::unique_ptr<JudgeSession> open(const SessionOptions& options) const = 0;
};

// Asks in both orders. `response` is the run's, `against` what it is compared with.
Judgement judge_both(JudgeSession& judge, const Prompt& prompt, const std::string& response,
                     const std::string& against, std::stop_token stop = {});

// The judge that a list describes:
//   policy={POLICY}[,ask=generate|logits][,margin=NATS]
//   url=http[s]://HOST[:PORT][/PATH],model=NAME[,key-env=VARIABLE][,timeout=S][,retries=N][,seed=N]
// and for both [,prompt=FILE][,max-tokens=N][,name=NAME]. `format` is how prompts are written for a
// policy. Throws Error (usage) for an unknown key (the nearest one is offered), a key of the other
// kind or a value that makes no sense, and what reading the template or the model throws.
std::shared_ptr<const PairJudge> make_pair_judge(const Spec& spec, ModelStore& models,
                                                 Format format);

}  // namespace tq
