#include "transferq/reward/rank_head.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/reward/encoder_scorer.hpp"

namespace tq {
namespace {

class RankScorer final : public EncoderScorer {
 public:
  RankScorer(const EncoderPool& pool, int threads, std::size_t label, std::string query)
      : EncoderScorer(pool, threads), label_(label), query_(std::move(query)) {}

 private:
  std::vector<double> evaluate(EncoderSession& session,
                               std::span<const std::string> texts) const override {
    std::vector<RankPair> pairs;
    for (const std::string& text : texts) pairs.push_back({query_, text});
    std::vector<double> out;
    for (const auto& scores : session.rank(pairs)) out.push_back(scores.at(label_));
    return out;
  }

  std::size_t label_;
  std::string query_;
};

class RankHead final : public Reward {
 public:
  RankHead(std::shared_ptr<const Encoder> encoder, std::size_t label)
      : pool_(std::move(encoder)), label_(label) {
    const Encoder& model = pool_.encoder();
    std::string name = "rank=" + model.name();
    if (model.labels().size() > 1) name += fmt::format(",label={}", label_);
    info_ = {name, sha256(fmt::format("rank {} {}", model.identity(), label_)), std::nullopt,
             model.probabilities() ? Range{0, 1} : Range{}, true};
  }

  const RewardInfo& info() const override { return info_; }

  std::unique_ptr<Scorer> open(const Prompt& prompt, SessionPool& sessions,
                               const Workload&) const override {
    const auto& messages = prompt.messages;
    const auto last = std::find_if(messages.rbegin(), messages.rend(),
                                   [](const Message& m) { return m.role == "user"; });
    if (last == messages.rend()) {
      throw Error(ErrorKind::input,
                  fmt::format("prompt '{}' has no user message for {} to rank responses to",
                              prompt.id, info_.name));
    }
    return std::make_unique<RankScorer>(pool_, sessions.options().threads, label_, last->content);
  }

 private:
  EncoderPool pool_;
  std::size_t label_;
  RewardInfo info_;
};

std::size_t find_label(const Encoder& encoder, const std::string& label) {
  const std::vector<std::string> labels = encoder.labels();
  if (label.empty() && labels.size() == 1) return 0;
  if (!label.empty()) {
    const auto named = std::find(labels.begin(), labels.end(), label);
    if (named != labels.end()) return static_cast<std::size_t>(named - labels.begin());
    std::size_t number = 0;
    const char* end = label.data() + label.size();
    const auto [at, error] = std::from_chars(label.data(), end, number);
    if (error == std::errc() && at == end && number < labels.size()) return number;
  }
  std::vector<std::string> known;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    known.push_back(labels[i].empty() ? std::to_string(i) : fmt::format("{} ({})", i, labels[i]));
  }
  throw Error(
      ErrorKind::usage,
      fmt::format("{}; give label=NAME or its number: {}",
                  label.empty() ? fmt::format("{} scores {} labels", encoder.name(), labels.size())
                                : fmt::format("{} has no label '{}'", encoder.name(), label),
                  fmt::join(known, ", ")));
}

}  // namespace

std::unique_ptr<Reward> make_rank_head(std::shared_ptr<const Encoder> encoder,
                                       const std::string& label) {
  if (encoder->pooling() != Pooling::rank) {
    throw Error(ErrorKind::model,
                fmt::format("{} has no rank head: it is an embedding model; give a reranker, or "
                            "use similar=TEXT,model=FILE",
                            encoder->name()));
  }
  const std::size_t index = find_label(*encoder, label);
  return std::make_unique<RankHead>(std::move(encoder), index);
}

RewardKind rank_head_kind() {
  return {"rank=FILE.gguf[,label=NAME|N]",
          "a reranker's score of prompt and response",
          {"rank"},
          {"label"},
          [](const Spec& spec, const RewardContext& context) {
            return make_rank_head(context.models.encoder(spec.get("rank")), spec.get("label"));
          }};
}

}  // namespace tq
