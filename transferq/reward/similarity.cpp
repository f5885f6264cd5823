#include "transferq/reward/similarity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/reward/embedding.hpp"
#include "transferq/reward/encoder_scorer.hpp"

namespace tq {
namespace {

using Vectors = std::vector<std::vector<float>>;

double similarity(const std::vector<float>& vector, const Vectors& targets, Pick pick) {
  double sum = 0, best = -1;
  for (const auto& target : targets) {
    const double value = cosine(vector, target);
    sum += value;
    best = std::max(best, value);
  }
  return pick == Pick::max ? best : sum / static_cast<double>(targets.size());
}

class SimilarityScorer final : public EncoderScorer {
 public:
  SimilarityScorer(const EncoderPool& pool, int threads, const Vectors& targets, Pick pick)
      : EncoderScorer(pool, threads), targets_(targets), pick_(pick) {}

 private:
  std::vector<double> evaluate(EncoderSession& session,
                               std::span<const std::string> texts) const override {
    std::vector<double> out;
    for (const auto& vector : session.embed(texts)) {
      out.push_back(similarity(vector, targets_, pick_));
    }
    return out;
  }

  const Vectors& targets_;
  Pick pick_;
};

class Similarity final : public Reward {
 public:
  Similarity(std::shared_ptr<const Encoder> encoder, const std::vector<std::string>& texts,
             Pick pick)
      : pool_(std::move(encoder)), pick_(pick) {
    const Encoder& model = pool_.encoder();
    targets_ = pool_.with(1, [&](EncoderSession& session) { return session.embed(texts); });
    Sha256 digest;
    digest.update(fmt::format("similar {} {}", model.identity(), static_cast<int>(pick)));
    for (const std::string& text : texts) digest.update(fmt::format(" {} {}", text.size(), text));
    info_ = {fmt::format("similarity to {} by {}",
                         texts.size() == 1 ? "a text" : fmt::format("{} texts", texts.size()),
                         model.name()),
             digest.hex(),
             std::nullopt,
             {-1, 1},
             true};
  }

  const RewardInfo& info() const override { return info_; }

  std::unique_ptr<Scorer> open(const Prompt&, SessionPool& sessions,
                               const Workload&) const override {
    return std::make_unique<SimilarityScorer>(pool_, sessions.options().threads, targets_, pick_);
  }

 private:
  EncoderPool pool_;
  Pick pick_;
  Vectors targets_;
  RewardInfo info_;
};

// The text itself, or the lines of @FILE that are not blank.
std::vector<std::string> texts_of(const std::string& value) {
  const std::string text = text_or_file(value, "texts of similar=");
  if (value.empty() || value.front() != '@') return {text};
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.find_first_not_of(" \t") != std::string::npos) lines.push_back(line);
  }
  return lines;
}

Pick pick_of(const Spec& spec) {
  const std::string name = spec.get("pick", "mean");
  if (name != "mean" && name != "max") {
    throw Error(ErrorKind::usage, fmt::format("pick={} is neither mean nor max", name));
  }
  return name == "max" ? Pick::max : Pick::mean;
}

}  // namespace

std::unique_ptr<Reward> make_similarity(std::shared_ptr<const Encoder> encoder,
                                        std::vector<std::string> texts, Pick pick) {
  const bool blank = std::any_of(texts.begin(), texts.end(), [](const std::string& text) {
    return text.find_first_not_of(" \t\r\n") == std::string::npos;
  });
  if (texts.empty() || blank) {
    throw Error(ErrorKind::usage,
                "similar= needs a text to be similar to, as in similar=A calm reply, or a file "
                "with one a line, as in similar=@FILE");
  }
  require_embeddings(*encoder);
  return std::make_unique<Similarity>(std::move(encoder), texts, pick);
}

RewardKind similarity_kind() {
  return {"similar=TEXT|@FILE[,model=M][,pick=max]",
          "likeness in meaning to a text, or to a file's lines",
          {"similar"},
          {"model", "pick"},
          [](const Spec& spec, const RewardContext& context) {
            const std::vector<std::string> texts = texts_of(spec.get("similar"));
            return make_similarity(context.models.encoder(spec.get("model", "minilm")), texts,
                                   pick_of(spec));
          }};
}

}  // namespace tq
