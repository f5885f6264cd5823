#include "transferq/decode/factory.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"
#include "transferq/decode/best_of.hpp"
#include "transferq/decode/cards.hpp"
#include "transferq/decode/chunk_beam.hpp"
#include "transferq/decode/genarm.hpp"
#include "transferq/decode/official.hpp"
#include "transferq/decode/soft_best_of.hpp"
#include "transferq/decode/speculative_rejection.hpp"
#include "transferq/decode/step_options.hpp"
#include "transferq/rollout/continuation.hpp"
#include "transferq/value/indirect.hpp"
#include "transferq/value/soft.hpp"

namespace tq {
namespace {

// A horizon beyond any response; decoders cut it at the longest one they may make.
constexpr std::size_t kToTheEnd = std::size_t{1} << 40;

using Make = std::function<std::unique_ptr<Decoder>(const DecoderOptions&)>;

std::unique_ptr<Valuation> valuation(const DecoderOptions& o) {
  switch (o.transfer) {
    case Transfer::indirect:
      return std::make_unique<Indirect>(o.beta, o.weights);
    case Transfer::soft:
      return std::make_unique<Soft>(o.beta, o.weights);
    case Transfer::direct:
      break;
  }
  return std::make_unique<Direct>();
}

std::unique_ptr<Decoder> token_value(const DecoderOptions& o, std::size_t horizon,
                                     Proposal proposal, Proposal rollouts) {
  return std::make_unique<TokenValueDecoder>(
      TokenValueOptions{o.transfer == Transfer::soft ? o.beta : o.alpha, o.top_k, proposal,
                        rollouts, o.choose, o.commit, o.block, o.min_p, o.kl_budget,
                        o.greedy_rollouts},
      std::make_unique<Continuation>(
          ContinuationOptions{horizon, o.rollouts, o.greedy_rollouts, false, o.block}),
      valuation(o));
}

std::unique_ptr<Decoder> cards(const DecoderOptions& o) {
  CardsOptions options = o.cards;
  options.beta = o.alpha;
  options.proposal = o.proposal;
  if (o.finished_only) {  // whole responses, against the target itself
    options.entropy = std::numeric_limits<double>::infinity();
    options.start = 1;
  }
  return std::make_unique<CardsDecoder>(options);
}

const std::map<std::string, Make>& table() {
  static const std::map<std::string, Make> makers{
      {"greedy",
       [](const auto& o) { return std::make_unique<PlainDecoder>(Choose::greedy, o.proposal); }},
      {"sample",
       [](const auto& o) { return std::make_unique<PlainDecoder>(Choose::sample, o.proposal); }},
      {"best-of",
       [](const auto& o) { return std::make_unique<BestOfDecoder>(o.samples, o.proposal); }},
      {"soft-best-of",
       [](const auto& o) {
         return std::make_unique<SoftBestOfDecoder>(o.samples, o.alpha, o.proposal);
       }},
      {"speculative-rejection",
       [](const auto& o) {
         return std::make_unique<SpeculativeRejectionDecoder>(
             SpeculativeRejectionOptions{o.samples, o.rejection_rate, o.chunk, o.proposal});
       }},
      {"cbs",
       [](const auto& o) {
         return std::make_unique<ChunkBeamDecoder>(
             ChunkBeamOptions{o.beams, o.samples / o.beams, o.chunk, o.proposal});
       }},
      {"cards", cards},
      {"genarm",
       [](const auto& o) { return std::make_unique<GenArmDecoder>(o.alpha, o.top_k, o.choose); }},
      // ARGS reads no roll-out: committing on the proposal's own stream saves an evaluation.
      {"args", [](const auto& o) { return token_value(o, 0, o.proposal, o.proposal); }},
      {"cd",
       [](const auto& o) {
         return token_value(o, o.horizon, Proposal::reference, Proposal::reference);
       }},
      {"tq",
       [](const auto& o) { return token_value(o, o.horizon, o.proposal, Proposal::baseline); }},
      {"official",
       [](const auto& o) {
         return std::make_unique<OfficialDecoder>(o.alpha, o.top_k, o.horizon,
                                                  o.transfer == Transfer::indirect);
       }},
  };
  return makers;
}

void validate(const DecoderOptions& o, std::size_t vocabulary) {
  const auto require = [](bool holds, const std::string& message) {
    if (!holds) throw Error(ErrorKind::usage, message);
  };
  require(o.alpha > 0,
          fmt::format("--alpha {} must be above 0: as alpha goes to 0 the candidate of the highest "
                      "value always wins, which is --choose greedy with a small alpha such as 1e-6",
                      o.alpha));
  require(o.top_k > 0, "--top-k 0 leaves no candidate; give 1 or more");
  require(o.top_k <= vocabulary, fmt::format("--top-k {} is beyond the vocabulary of {} tokens; "
                                             "give a smaller number",
                                             o.top_k, vocabulary));
  require(o.rollouts > 0, "--rollouts 0 leaves nothing to estimate a value from; give 1 or more");
  require(o.samples > 0, "--samples 0 leaves nothing to choose from; give 1 or more");
  validate_steps(o);
}

void validate_transfer(const DecoderOptions& o) {
  if (o.transfer == Transfer::direct) return;
  const auto require = [](bool holds, const std::string& message) {
    if (!holds) throw Error(ErrorKind::usage, message);
  };
  const bool soft = o.transfer == Transfer::soft;
  require(o.name == "tq" || (o.name == "official" && !soft),
          fmt::format("the decoder {} has no {} transfer; {}", o.name, soft ? "soft" : "indirect",
                      soft ? "--decoder tq has" : "tq and official have"));
  require(!soft || o.proposal == Proposal::baseline,
          "--transfer soft weighs what the baseline proposes; leave out --proposal reference");
  require(o.beta > 0 && std::isfinite(o.beta),
          fmt::format("--beta {} must be a finite number above 0", o.beta));
  require(o.weights.power > 0 && o.weights.power <= 1,
          fmt::format("--weight-power {} must be above 0 and at most 1 (weights as they are)",
                      o.weights.power));
  require(o.weights.clip >= 1,
          fmt::format("--weight-clip {} must be 1 or more, times the mean weight; inf clips none",
                      o.weights.clip));
}

// The options of the decoders that draw responses, segments or chunks.
void validate_drawing(const DecoderOptions& o) {
  const auto require = [](bool holds, const std::string& message) {
    if (!holds) throw Error(ErrorKind::usage, message);
  };
  require(o.chunk > 0, "--chunk 0 draws nothing; give 1 or more tokens");
  require(o.beams > 0, "--beams 0 leaves nothing to go on with; give 1 or more");
  require(
      o.name != "cbs" || o.samples % o.beams == 0,
      fmt::format("--samples {} can't be shared evenly by --beams {}; cbs draws samples / beams "
                  "successors of each beam",
                  o.samples, o.beams));
  require(o.rejection_rate >= 0 && o.rejection_rate < 1,
          fmt::format("--rejection-rate {} must be 0 or more and below 1: the share of responses "
                      "given up at each decision",
                      o.rejection_rate));
  require(o.cards.entropy >= 0,
          fmt::format("--segment-entropy {} must be 0 or more, in nats; inf makes whole responses "
                      "of the segments",
                      o.cards.entropy));
  require(
      o.cards.start >= 0 && o.cards.start <= 1,
      fmt::format("--target-start {} must lie between 0 (the reward of an empty response) and 1 "
                  "(the target)",
                  o.cards.start));
  require(o.cards.tries > 0, "--tries 0 draws no segment; give 1 or more");
  require(
      o.name != "cards" || std::isfinite(o.cards.target),
      "the decoder cards needs --target-reward NUMBER, the reward that is good enough; --decoder "
      "sample with the same reward shows what answers get");
}

}  // namespace

std::vector<std::string> decoder_names() {
  std::vector<std::string> names;
  for (const auto& [name, make] : table()) names.push_back(name);
  return names;
}

std::vector<std::string> warnings(const DecoderOptions& o) {
  if (o.name != "tq" || o.transfer != Transfer::indirect) return {};
  if (o.rollouts > 1 && !o.greedy_rollouts) return {};
  return {
      fmt::format("with one roll-out a candidate{} the weights of indirect transfer cancel and it "
                  "is direct transfer; give --rollouts 8 or more",
                  o.greedy_rollouts ? " (--rollout-choose greedy)" : "")};
}

std::unique_ptr<Decoder> make_decoder(const DecoderOptions& options, std::size_t vocabulary) {
  const auto it = table().find(options.name);
  if (it == table().end()) {
    const auto names = decoder_names();
    const std::string near = nearest_name(options.name, names);
    throw Error(ErrorKind::usage,
                fmt::format("no decoder '{}'{}; there are {}", options.name,
                            near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near),
                            fmt::join(names, ", ")));
  }
  validate(options, vocabulary);
  validate_transfer(options);
  validate_drawing(options);
  if (!options.finished_only) return it->second(options);
  if (options.name == "args" || options.name == "official" || options.name == "cbs" ||
      options.name == "speculative-rejection") {
    throw Error(
        ErrorKind::usage,
        fmt::format("this reward can't score unfinished responses, as the decoder {} needs; "
                    "use tq, cd or best-of",
                    options.name));
  }
  DecoderOptions to_the_end = options;
  to_the_end.horizon = kToTheEnd;
  return it->second(to_the_end);
}

}  // namespace tq
