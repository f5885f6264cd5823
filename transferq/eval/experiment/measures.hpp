// What is measured of each response of an experiment beside its own reward.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>

#include "transferq/decode/decoder.hpp"
#include "transferq/eval/metrics/coherence.hpp"
#include "transferq/eval/metrics/perplexity.hpp"
#include "transferq/eval/scoring.hpp"

namespace tq {

// Immutable; shared by all threads.
struct Measures {
  std::map<std::string, std::shared_ptr<const Reward>> rewards;  // unseen ones, by name
  std::shared_ptr<const CoherenceMeter> coherence;               // none: not measured
  std::optional<Policy> perplexity;                              // under this policy, if any

  // Of everything above: changes whenever a value may change.
  std::string fingerprint() const;
};

// Measures in sessions of its own. Not thread-safe; the measures outlive it.
class MeasuringWorker {
 public:
  MeasuringWorker(const Measures& measures, const SessionOptions& options);

  // {"words", "rep_2", "rep_3", "rep_4", "diversity", "coherence", "perplexity", "rewards": {...}};
  // null for what has no value, absent what is not measured. Throws Error as the rewards do.
  nlohmann::ordered_json measure(const Prompt& prompt, const Decoded& decoded,
                                 std::stop_token stop);

 private:
  const Measures& measures_;
  std::map<std::string, std::unique_ptr<ScoringWorker>> rewards_;
  std::unique_ptr<PerplexityMeter> perplexity_;
};

}  // namespace tq
