#include "transferq/reward/implicit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/reward/text_reader.hpp"

namespace tq {
namespace {

using Tokens = std::vector<Token>;

// ln rho(y|x) of one policy.
class Likelihood {
 public:
  Likelihood(const Policy& policy, SessionPool& sessions, const Prompt& prompt,
             const Workload& work)
      : prompt_(policy.encode(prompt)),
        reader_(policy, sessions, prompt_.size(), work,
                {Reading::likelihood, prompt_.size(), {}, false}) {}

  std::vector<double> of(const std::vector<Tokens>& responses) {
    std::vector<Tokens> sequences;
    for (const Tokens& response : responses) {
      sequences.push_back(prompt_);
      sequences.back().insert(sequences.back().end(), response.begin(), response.end());
    }
    std::vector<double> out;
    for (const auto& row : reader_.read(sequences)) out.push_back(row.front());
    return out;
  }

  // Tokens of a response that fit the context.
  std::size_t room() const { return reader_.longest() - prompt_.size(); }
  std::vector<ModelCost> costs() const { return reader_.costs(); }

 private:
  Tokens prompt_;
  TextReader reader_;
};

class ImplicitScorer final : public Scorer {
 public:
  ImplicitScorer(Likelihood aligned, Likelihood reference, const Model& model, double beta,
                 bool policy_tokens)
      : aligned_(std::move(aligned)),
        reference_(std::move(reference)),
        model_(model),
        beta_(beta),
        policy_tokens_(policy_tokens) {}

  std::vector<ModelCost> costs() const override {
    std::vector<ModelCost> both = aligned_.costs();
    for (ModelCost& cost : reference_.costs()) both.push_back(std::move(cost));
    return both;
  }

 private:
  std::vector<double> compute(std::span<const Draft> drafts) override {
    const std::size_t room = std::min(aligned_.room(), reference_.room());
    std::vector<Tokens> responses;
    for (const Draft& draft : drafts) {
      responses.push_back(response(draft));
      responses.back().resize(std::min(responses.back().size(), room));
    }
    std::vector<double> scores = aligned_.of(responses);
    const std::vector<double> reference = reference_.of(responses);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      scores[i] = beta_ * (scores[i] - reference[i]);
    }
    return scores;
  }

  Tokens response(const Draft& draft) const {
    if (policy_tokens_ && !draft.tokens.empty()) return draft.tokens;
    Tokens tokens = model_.tokenize(draft.text, false);
    if (draft.ended && model_.end() != kNoToken) tokens.push_back(model_.end());
    return tokens;
  }

  Likelihood aligned_, reference_;
  const Model& model_;
  double beta_;
  bool policy_tokens_;
};

class Implicit final : public Reward {
 public:
  Implicit(Policy aligned, Policy reference, double beta, bool policy_tokens)
      : aligned_(std::move(aligned)),
        reference_(std::move(reference)),
        beta_(beta),
        policy_tokens_(policy_tokens) {
    info_.name = "implicit";
    info_.whole = false;
    info_.fingerprint = sha256(fmt::format("implicit|{}|{}|{}", describe_policy(aligned_),
                                           describe_policy(reference_), beta_));
  }

  const RewardInfo& info() const override { return info_; }

  std::unique_ptr<Scorer> open(const Prompt& prompt, SessionPool& sessions,
                               const Workload& work) const override {
    return std::make_unique<ImplicitScorer>(Likelihood(aligned_, sessions, prompt, work),
                                            Likelihood(reference_, sessions, prompt, work),
                                            aligned_.model(), beta_, policy_tokens_);
  }

 private:
  Policy aligned_, reference_;
  double beta_;
  bool policy_tokens_;
  RewardInfo info_;
};

}  // namespace

std::unique_ptr<Reward> make_implicit(Policy aligned, Policy reference, double beta,
                                      bool policy_tokens) {
  if (!(beta > 0 && std::isfinite(beta))) {
    throw Error(ErrorKind::usage, fmt::format("beta={} must be a number above 0", beta));
  }
  if (aligned.model().vocabulary_identity() != reference.model().vocabulary_identity()) {
    throw Error(
        ErrorKind::usage,
        fmt::format("an implicit reward compares two policies of one vocabulary, and {} and "
                    "{} have different ones",
                    aligned.model().name(), reference.model().name()));
  }
  return std::make_unique<Implicit>(std::move(aligned), std::move(reference), beta, policy_tokens);
}

RewardKind implicit_kind() {
  return {"implicit=POLICY[,reference=POLICY][,beta=0.1]",
          "beta times the log-ratio of two policies",
          {"implicit"},
          {"reference", "beta"},
          [](const Spec& spec, const RewardContext& context) {
            Policy aligned = context.named_policy(spec, "implicit");
            const bool policy_tokens = context.reads_tokens(aligned.model());
            return make_implicit(std::move(aligned), context.named_policy(spec, "reference"),
                                 spec.number("beta", 0.1), policy_tokens);
          }};
}

}  // namespace tq
