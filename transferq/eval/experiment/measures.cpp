#include "transferq/eval/experiment/measures.hpp"

#include "transferq/core/text.hpp"
#include "transferq/eval/metrics/text_metrics.hpp"
#include "transferq/reward/kind.hpp"

namespace tq {
namespace {

using nlohmann::ordered_json;

ordered_json number(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

// The last thing that was asked, which an answer should speak of.
std::string asked(const Prompt& prompt) {
  return prompt.messages.empty() ? "" : prompt.messages.back().content;
}

}  // namespace

std::string Measures::fingerprint() const {
  ordered_json parts;
  for (const auto& [name, reward] : rewards) parts["rewards"][name] = reward->info().fingerprint;
  if (coherence) parts["coherence"] = coherence->fingerprint();
  if (perplexity) parts["perplexity"] = describe_policy(*perplexity);
  return parts.dump();
}

MeasuringWorker::MeasuringWorker(const Measures& measures, const SessionOptions& options)
    : measures_(measures) {
  for (const auto& [name, reward] : measures.rewards) {
    rewards_[name] = std::make_unique<ScoringWorker>(*reward, options);
  }
  if (measures.perplexity) {
    perplexity_ = std::make_unique<PerplexityMeter>(*measures.perplexity, options);
  }
}

ordered_json MeasuringWorker::measure(const Prompt& prompt, const Decoded& decoded,
                                      std::stop_token stop) {
  const std::string text = replace_invalid_utf8(decoded.text);  // as the row has it
  const TextMetrics words = text_metrics(text);
  ordered_json out = {{"words", words.words},
                      {"rep_2", number(words.rep_2)},
                      {"rep_3", number(words.rep_3)},
                      {"rep_4", number(words.rep_4)},
                      {"diversity", number(words.diversity)}};
  if (measures_.coherence) {
    out["coherence"] = number(measures_.coherence->of(asked(prompt), text));
  }
  if (perplexity_) out["perplexity"] = number(perplexity_->of(prompt, decoded.tokens, stop));
  for (const auto& [name, worker] : rewards_) {
    ScoreItem item;
    item.id = prompt.id;
    item.prompt = prompt;
    item.responses = {text};
    worker->score({&item, 1}, [&](std::size_t, const std::vector<double>& scores) {
      out["rewards"][name] = scores.front();
    });
  }
  return out;
}

}  // namespace tq
