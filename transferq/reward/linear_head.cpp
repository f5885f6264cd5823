#include "transferq/reward/linear_head.hpp"

#include <fmt/format.h>

#include <numeric>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/reward/head_folder.hpp"
#include "transferq/reward/prefix_cache.hpp"

namespace tq {
namespace {

class HeadScorer final : public Scorer {
 public:
  HeadScorer(const HeadFile& head, const Policy& base, SessionPool& sessions,
             std::vector<Token> prompt)
      : head_(head), base_(base), sessions_(sessions), prompt_(std::move(prompt)) {}

  bool reads(const Stream& stream) const override {
    return !prompt_.empty() && share_session(stream.policy(), base_) && stream.prompt() == prompt_;
  }

  std::vector<double> compute(std::span<const Draft> drafts) override {
    std::vector<std::vector<Token>> sequences;
    std::vector<std::size_t> from(drafts.size(), kNone);  // which sequence a draft became
    for (std::size_t i = 0; i < drafts.size(); ++i) {
      if (!drafts[i].hidden.empty()) continue;
      std::vector<Token> tokens = sequence(drafts[i]);
      if (tokens.empty()) continue;
      from[i] = sequences.size();
      sequences.push_back(std::move(tokens));
    }
    if (!cache_ && !sequences.empty()) cache_.emplace(sessions_.get(base_));
    const auto states = cache_ ? cache_->hidden(sequences) : std::vector<std::vector<float>>{};
    std::vector<double> out;
    for (std::size_t i = 0; i < drafts.size(); ++i) {
      const double score = weigh(from[i] == kNone ? drafts[i].hidden : states[from[i]]);
      out.push_back(drafts[i].whole ? score : score + head_.bias);
    }
    return out;
  }

  std::vector<ModelCost> costs() const override {
    if (!cache_) return {};
    const std::uint64_t all = cache_->evaluations();
    const auto prompt = std::min<std::uint64_t>(all, prompt_.size());
    return {{base_.model().name(), prompt, all - prompt}};
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  std::vector<Token> sequence(const Draft& draft) const {
    std::vector<Token> tokens;
    if (draft.whole) {
      tokens = base_.model().tokenize(draft.text, true);
    } else {
      tokens = prompt_;
      const auto response = base_.model().tokenize(draft.text, prompt_.empty());
      tokens.insert(tokens.end(), response.begin(), response.end());
    }
    return tokens;
  }

  double weigh(std::span<const float> hidden) const {
    return std::inner_product(hidden.begin(), hidden.end(), head_.weights.begin(), 0.0,
                              std::plus<>(),
                              [](float h, float w) { return double{h} * double{w}; });
  }

  const HeadFile& head_;
  const Policy& base_;
  SessionPool& sessions_;
  std::vector<Token> prompt_;
  std::optional<PrefixCache> cache_;  // opened when something must be evaluated
};

class LinearHead final : public Reward {
 public:
  LinearHead(HeadFile head, Policy base) : head_(std::move(head)), base_(std::move(base)) {
    Sha256 digest;
    digest.update(base_.model().identity());
    digest.update({reinterpret_cast<const char*>(head_.weights.data()),
                   head_.weights.size() * sizeof(float)});
    digest.update(fmt::format("{} {} {}", head_.bias, head_.text, head_.pooling));
    info_ = {head_.name, digest.hex(), head_.calibration, false, true};
  }

  const RewardInfo& info() const override { return info_; }

  std::unique_ptr<Scorer> open(const Prompt& prompt, SessionPool& sessions,
                               const Workload& work) const override {
    std::vector<Token> tokens;
    if (head_.text == "conversation") tokens = base_.encode(prompt);
    sessions.plan(base_, tokens.size(), work);
    return std::make_unique<HeadScorer>(head_, base_, sessions, std::move(tokens));
  }

 private:
  HeadFile head_;
  Policy base_;
  RewardInfo info_;
};

}  // namespace

std::unique_ptr<Reward> make_linear_head(const std::filesystem::path& file, Policy base,
                                         bool force) {
  HeadFile head = read_head(file);
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorKind::model, fmt::format("the head {} {}", file.string(), why));
  };
  if (head.weights.size() != base.model().hidden_size()) {
    throw refuse(
        fmt::format("reads {} hidden values, {} has {}; name the head's own base with "
                    "head={},model={}",
                    head.weights.size(), base.model().name(), base.model().hidden_size(),
                    file.string(), head.base_name));
  }
  if (head.base_identity != base.model().identity() && !force) {
    throw refuse(
        fmt::format("was fitted on {}, and {} is another model or quantisation, on which "
                    "its rewards mean something else; name its base with head={},model=..., "
                    "refit it, or add force=1",
                    head.base_name, base.model().name(), file.string()));
  }
  if (head.pooling != "last") throw refuse("pools by '" + head.pooling + "', which is not known");
  if (head.text != "conversation" && head.text != "response") {
    throw refuse("reads '" + head.text + "', which is not known");
  }
  return std::make_unique<LinearHead>(std::move(head), std::move(base));
}

RewardKind linear_head_kind() {
  return {"head=NAME|FILE[,model=M][,force=1]",
          "a linear head on a model's last hidden state",
          {"head"},
          {"model", "force"},
          [](const Spec& spec, const RewardContext& context) {
            return make_linear_head(find_head(spec.get("head")),
                                    Policy(context.model(spec), context.format),
                                    spec.get("force", "0") != "0");
          }};
}

}  // namespace tq
