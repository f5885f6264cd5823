// A decoder turns a prompt into a response. It is given everything it works with: the streams of
// the two policies, a scorer, a key for its draws; it hands each token on as soon as it is final.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "transferq/core/random.hpp"
#include "transferq/policy/stream.hpp"
#include "transferq/reward/reward.hpp"
#include "transferq/value/valuation.hpp"

namespace tq {

// One candidate of a step, for explanations.
struct CandidateView {
  Token token;
  std::string text;
  double logprob;      // under the proposal
  double value;        // estimated reward; NaN where nothing was rolled out to estimate it
  double probability;  // under the decoder; 0 if it was given up
  std::vector<Token> block =
      {};  // all its tokens, where candidates are blocks; `token` is the first
  // Its roll-outs were stopped on the way (the value is of unfinished ones), or never begun because
  // it could not be drawn (no value).
  bool given_up = false;
};

// A token made.
struct Step {
  // Empty for decoders that weigh none, and for a token that was committed with the one before.
  std::vector<CandidateView> candidates;
  std::size_t chosen = 0;  // index into candidates
  Token token;             // the token itself
  std::string text;        // its bytes, possibly part of a character
  Token plain_choice;      // what the proposal alone would have taken (its likeliest)
  // Of the candidates' roll-outs, where they are weighted.
  std::optional<EffectiveSamples> effective = std::nullopt;
  std::optional<double> alpha = std::nullopt;  // at this step, where a KL budget chose it
  // Whether the candidates' values are what they are for at the other steps: not where a learned
  // value predicted them, or where --first and --last have no roll-outs.
  bool rolled_out = true;
};

// One of the two policies: whose distribution is re-weighted, or whose roll-outs are read.
enum class Proposal { baseline, reference };

// What a decoder does with the two policies. The reference is always followed, for the KL to it.
struct Roles {
  Proposal grows = Proposal::baseline;  // in whose session the branches of its workload grow
  bool baseline = true;  // whether it reads the baseline at all; else the reference takes its place
  bool texts = false;    // whether it has texts scored that are not those of its branches
  bool baseline_reward = false;  // whether it has them scored by the baseline's reward, too
};
// Of a decoder that reads this policy alone.
constexpr Roles roles_of(Proposal only) { return {only, only == Proposal::baseline, false}; }

enum class Finish { stop, length };
enum class KlKind {
  exact,     // summed over each step's distribution
  bound,     // an upper bound, as for best-of-N
  estimate,  // from the drawn response alone: right on average at best, and may be negative
};

struct Decoded {
  std::vector<Token> tokens;  // with the token that ended the response
  std::string text;           // without it
  Finish finish = Finish::length;
  std::optional<double> reward;  // of the final response, where there is a scorer
  double kl_to_reference = 0;    // nats
  KlKind kl_kind = KlKind::exact;
  std::optional<EffectiveSamples> effective = std::nullopt;  // of its steps
};

struct DecodeTask {
  Stream& reference;
  Stream& baseline;  // the same object as `reference` where they are one distribution, or where
                     // the decoder does not read the baseline
  Scorer* scorer;    // null: no reward
  std::size_t max_tokens;
  RandomKey key;  // seed and prompt
  std::stop_token stop;
  std::function<void(const Step&)> sink;  // may be empty
  // By the reward that the baseline was aligned to; null: 0 for every response, or not read.
  Scorer* baseline_scorer = nullptr;
};

// Counted apart from the prompts' own evaluation, which happens once.
struct Evaluations {
  std::uint64_t policy = 0;     // by the policy that decodes (Decoder::roles), roll-outs included
  std::uint64_t reference = 0;  // by the reference where it is another policy
  std::uint64_t reward = 0;     // by the models of the reward, and of the baseline's
  std::uint64_t prompt = 0;     // prompts, once for each policy and the reward
  std::map<std::string, std::uint64_t> reward_models;  // `reward`, model by model
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Decodes one prompt; `spent` gets the evaluations that no stream or scorer counts itself.
  virtual Decoded decode(const DecodeTask& task, Evaluations& spent) const = 0;
  // Memory needed for a response of up to `max_tokens`, in the session of roles().grows.
  virtual Workload workload(std::size_t max_tokens) const = 0;
  virtual Roles roles() const = 0;
  virtual bool needs_reward() const = 0;
};

}  // namespace tq
