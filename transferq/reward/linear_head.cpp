#include "transferq/reward/linear_head.hpp"

#include <fmt/format.h>

#include <numeric>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/policy/catalog.hpp"
#include "transferq/reward/features.hpp"
#include "transferq/reward/head_folder.hpp"

namespace tq {
namespace {

class HeadScorer final : public Scorer {
 public:
  HeadScorer(const HeadFile& head, FeatureReader features)
      : head_(head), features_(std::move(features)) {}

  bool reads(const Stream& stream) const override { return features_.reads(stream); }
  std::vector<ModelCost> costs() const override { return features_.costs(); }

 private:
  std::vector<double> compute(std::span<const Draft> drafts) override {
    const auto features = features_.read(drafts);
    std::vector<double> out;
    for (std::size_t i = 0; i < drafts.size(); ++i) {
      const double score =
          std::inner_product(features[i].begin(), features[i].end(), head_.weights.begin(), 0.0,
                             std::plus<>(), [](float h, float w) { return double{h} * double{w}; });
      out.push_back(drafts[i].whole ? score : score + head_.bias);
    }
    return out;
  }

  const HeadFile& head_;
  FeatureReader features_;
};

class LinearHead final : public Reward {
 public:
  LinearHead(HeadFile head, HeadPooling pooling, Policy base, bool policy_tokens)
      : head_(std::move(head)),
        pooling_(pooling),
        base_(std::move(base)),
        policy_tokens_(policy_tokens) {
    Sha256 digest;
    digest.update(base_.model().identity());
    digest.update({reinterpret_cast<const char*>(head_.weights.data()),
                   head_.weights.size() * sizeof(float)});
    digest.update(fmt::format("{} {} {}", head_.bias, head_.text, head_.pooling));
    info_ = {head_.name, digest.hex(), head_.calibration, {}, true};
  }

  const RewardInfo& info() const override { return info_; }

  std::unique_ptr<Scorer> open(const Prompt& prompt, SessionPool& sessions,
                               const Workload& work) const override {
    const FeatureOptions options{head_.text == "conversation", pooling_, policy_tokens_};
    return std::make_unique<HeadScorer>(head_,
                                        FeatureReader(base_, sessions, prompt, options, work));
  }

 private:
  HeadFile head_;
  HeadPooling pooling_;
  Policy base_;
  bool policy_tokens_;
  RewardInfo info_;
};

}  // namespace

std::unique_ptr<Reward> make_linear_head(const std::filesystem::path& file, Policy base, bool force,
                                         bool policy_tokens) {
  HeadFile head = read_head(file);
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorKind::model, fmt::format("the head {} {}", file.string(), why));
  };
  const std::optional<HeadPooling> pooling = head_pooling(head.pooling);
  if (!pooling) throw refuse("pools by '" + head.pooling + "', which is not known");
  if (head.weights.size() % pooling->parts() != 0) {
    throw refuse(fmt::format("has {} weights for {} poolings; it is damaged", head.weights.size(),
                             pooling->parts()));
  }
  if (head.weights.size() != pooling->parts() * base.model().hidden_size()) {
    throw refuse(
        fmt::format("reads {} hidden values, {} has {}; name the head's own base with "
                    "head={},model={}",
                    head.weights.size() / pooling->parts(), base.model().name(),
                    base.model().hidden_size(), file.string(), catalog_name(head.base_name)));
  }
  if (head.base_identity != base.model().identity() && !force) {
    throw refuse(
        fmt::format("was fitted on {}, and {} is another model or quantisation, on which "
                    "its rewards mean something else; name its base with head={},model=..., "
                    "refit it, or add force=1",
                    head.base_name, base.model().name(), file.string()));
  }
  if (head.text != "conversation" && head.text != "response") {
    throw refuse("reads '" + head.text + "', which is not known");
  }
  return std::make_unique<LinearHead>(std::move(head), *pooling, std::move(base), policy_tokens);
}

RewardKind linear_head_kind() {
  return {"head=NAME|FILE[,model=M][,force=1]",
          "a linear head on a model's hidden states",
          {"head"},
          {"model", "force"},
          [](const Spec& spec, const RewardContext& context) {
            Policy base(context.model(spec), context.format);
            const bool policy_tokens = context.reads_tokens(base.model());
            return make_linear_head(find_head(spec.get("head")), std::move(base),
                                    yes_or_no(spec, "force", false), policy_tokens);
          }};
}

}  // namespace tq
