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
#include "transferq/decode/options.hpp"
#include "transferq/decode/soft_best_of.hpp"
#include "transferq/decode/speculative_rejection.hpp"
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
  Learned learned{o.learned};
  if (o.transfer == Transfer::soft) learned.beta = o.beta;
  if (o.learned != nullptr && o.screen == 0) horizon = 0;
  // A soft value is no mean of rewards.
  const Range range = o.transfer == Transfer::soft ? Range() : o.range;
  return std::make_unique<TokenValueDecoder>(
      TokenValueOptions{o.transfer == Transfer::soft ? o.beta : o.alpha, o.top_k, proposal,
                        rollouts, o.choose, Commit{o.commit, o.commit_confidence}, o.block, o.min_p,
                        range, o.kl_budget, o.greedy_rollouts, o.halvings, o.halving_errors,
                        Positions{o.first, o.last}, o.elsewhere, o.text_weight, std::move(learned),
                        o.screen},
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
