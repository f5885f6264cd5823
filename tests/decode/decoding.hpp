// What tests of decoders share: a setup in one line, a run of it, and rewards made for a test.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/reward/tiny_head.hpp"
#include "transferq/decode/factory.hpp"
#include "transferq/eval/generator.hpp"
#include "transferq/reward/linear_head.hpp"

namespace tq::testing {

inline Setup setup_of(const Policy& reference, DecoderOptions decoder,
                      std::shared_ptr<const Reward> reward = nullptr, std::size_t max_tokens = 12,
                      std::optional<Policy> baseline = std::nullopt) {
  decoder.top_k = std::min(decoder.top_k, reference.model().vocabulary());
  return {reference,         std::move(baseline),
          std::move(reward), make_decoder(decoder, reference.model().vocabulary()),
          max_tokens,        7};
}

struct Answer : Generated {
  std::vector<Step> steps;
};

inline Answer run(const Setup& setup, const Prompt& prompt,
                  const SessionOptions& options = session_of()) {
  Answer out;
  std::vector<Step> steps;
  Worker worker(setup, options);
  static_cast<Generated&>(out) =
      worker.generate(prompt, {}, [&](const Step& s) { steps.push_back(s); });
  out.steps = std::move(steps);
  return out;
}

// A reward that is a function of the draft.
class FunctionReward final : public Reward {
 public:
  using Function = std::function<double(const Draft&)>;
  explicit FunctionReward(Function function) : function_(std::move(function)) {}
  const RewardInfo& info() const override { return info_; }
  std::unique_ptr<Scorer> open(const Prompt&, SessionPool&, const Workload&) const override {
    return std::make_unique<FunctionScorer>(function_);
  }

 private:
  class FunctionScorer final : public Scorer {
   public:
    explicit FunctionScorer(const Function& function) : function_(function) {}
    std::vector<double> compute(std::span<const Draft> drafts) override {
      std::vector<double> out;
      for (const Draft& draft : drafts) out.push_back(function_(draft));
      return out;
    }

   private:
    const Function& function_;
  };
  Function function_;
  RewardInfo info_{"function", "function", std::nullopt, {}, true};
};

inline std::shared_ptr<const Reward> reward_of(FunctionReward::Function function) {
  return std::make_shared<FunctionReward>(std::move(function));
}

// A head that reads the states of the whole response, written to a file of the folder.
inline std::shared_ptr<const Reward> pooled_head_on(const Policy& base,
                                                    const TemporaryFolder& folder,
                                                    const std::string& pooling = "last,mean,max") {
  const auto path = folder / "pooled.gguf";
  write_head(path, pooled_head(base.model(), pooling));
  return make_linear_head(path, base, false, true);
}

// A head on a base, written to a file of the folder.
inline std::shared_ptr<const Reward> head_on(const Policy& base, const TemporaryFolder& folder,
                                             const std::string& text = "conversation") {
  const auto path = folder / "head.gguf";
  write_head(path, random_head(base.model(), 1, text));
  return make_linear_head(path, base);
}

// Logits of a policy after its prompt and these tokens, evaluated from nothing.
inline std::vector<double> logits_of(const Policy& policy, const Prompt& prompt,
                                     const Tokens& response) {
  return evaluate(policy.model(), policy.encode(prompt) + response, policy.adapter()).logits;
}

}  // namespace tq::testing
