// Everything a run decodes with, put together once: policies, reward, decoder. Each worker decodes
// its prompts through a Worker of its own; models are shared, sessions are not.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "transferq/decode/decoder.hpp"
#include "transferq/policy/policy.hpp"
#include "transferq/policy/session_pool.hpp"
#include "transferq/reward/reward.hpp"

namespace tq {

// Immutable and thread-safe; the objects it points to outlive its workers.
struct Setup {
  Policy reference;
  std::optional<Policy> baseline;  // none: the reference is its own baseline
  std::shared_ptr<const Reward> reward;
  std::shared_ptr<const Decoder> decoder;
  std::size_t max_tokens = 128;
  std::uint64_t seed = 0;
  // What the baseline was aligned to, for decoders that ask (Roles::baseline_reward). None: 0 for
  // every response, as of a baseline that is the reference.
  std::shared_ptr<const Reward> baseline_reward = nullptr;
};

// A prompt's answer and what it cost.
struct Generated {
  Decoded decoded;
  std::size_t prompt_tokens = 0;
  Evaluations evaluations;
  double seconds = 0;
};

// Decodes one prompt at a time. Not thread-safe.
class Worker {
 public:
  // `options` without cells or adapter sizes sessions by the work; see SessionPool. Throws Error
  // (model) when baseline and reference have different vocabularies.
  Worker(const Setup& setup, const SessionOptions& options);

  // Throws Error; on `interrupted` nothing of the prompt is kept.
  Generated generate(const Prompt& prompt, std::stop_token stop = {},
                     std::function<void(const Step&)> sink = {});

  // Tokens that its sessions have evaluated until now, those of prompts and rewards included; to be
  // compared within one prompt.
  std::uint64_t evaluations() const { return pool_.evaluations(); }

 private:
  const Setup& setup_;
  SessionPool pool_;
};

// Session options for a decoder: as many branches as its work needs.
SessionOptions session_options(const Setup& setup, SessionOptions base);

}  // namespace tq
