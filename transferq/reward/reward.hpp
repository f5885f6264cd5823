// What scores a response. A Reward is a description, immutable and shared by all threads; for each
// prompt it opens a Scorer, which may keep the prompt in memory and score many drafts at once.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "transferq/core/token.hpp"
#include "transferq/engine/llama/head_file.hpp"
#include "transferq/policy/session_pool.hpp"
#include "transferq/policy/stream.hpp"

namespace tq {

// A response to be scored, finished or not.
struct Draft {
  std::string text;           // of the response, without the token that ended it
  std::vector<Token> tokens;  // the policy's, with the token that ended it
  Trail trail;                // the policy's states behind the prompt and each token of the text,
                              // if Scorer::reads() them
  // `text` is prompt and response together, special tokens written out, and a head is applied
  // without its bias: the convention of the authors' code (decode/official.hpp).
  bool whole = false;
  bool ended = false;  // by the token that ends a response, not cut short
};

// Between which numbers all scores lie, by what the reward is and not by what was seen of it.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool bounded() const { return std::isfinite(low) && std::isfinite(high); }
};

struct RewardInfo {
  std::string name;
  std::string fingerprint;                 // changes whenever the scores may change
  std::optional<Calibration> calibration;  // the scale, where it was measured
  Range range = {};
  // Whether unfinished responses can be scored. One that cannot is given only responses that ended
  // or are as long as they may be.
  bool partial = true;
  bool whole = true;  // whether drafts that are prompt and response together can be scored
};

// What a reward's model has evaluated: tokens of the prompt, and behind it.
struct ModelCost {
  std::string model;
  std::uint64_t prompt = 0;
  std::uint64_t responses = 0;
};

// Scores drafts of one prompt. Not thread-safe.
class Scorer {
 public:
  virtual ~Scorer() = default;
  // Whether it reads the hidden states of this policy: then drafts that bring them cost nothing.
  virtual bool reads(const Stream&) const { return false; }
  // One score a draft, in order; the same whether drafts come together or one by one. A draft that
  // comes several times, or came with the call before, is computed once, unless it brings its
  // states. Throws Error where a score can't be had or is no finite number: none is ever made
  // up.
  std::vector<double> score(std::span<const Draft> drafts);
  // What was evaluated so far, one entry a model.
  virtual std::vector<ModelCost> costs() const { return {}; }

  std::uint64_t prompt_evaluations() const;
  std::uint64_t evaluations() const;

 private:
  virtual std::vector<double> compute(std::span<const Draft> drafts) = 0;

  std::map<std::string, double> known_;  // of the last call's drafts
};

// Thread-safe.
class Reward {
 public:
  virtual ~Reward() = default;
  virtual const RewardInfo& info() const = 0;
  virtual std::unique_ptr<Scorer> open(const Prompt& prompt, SessionPool& sessions,
                                       const Workload& work) const = 0;
};

}  // namespace tq
