#include "transferq/decode/factory.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <functional>
#include <map>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"
#include "transferq/decode/best_of.hpp"
#include "transferq/decode/official.hpp"
#include "transferq/decode/step_options.hpp"
#include "transferq/rollout/continuation.hpp"

namespace tq {
namespace {

// A horizon beyond any response; decoders cut it at the longest one they may make.
constexpr std::size_t kToTheEnd = std::size_t{1} << 40;

using Make = std::function<std::unique_ptr<Decoder>(const DecoderOptions&)>;

std::unique_ptr<Decoder> token_value(const DecoderOptions& o, std::size_t horizon,
                                     Proposal proposal, Proposal rollouts) {
  return std::make_unique<TokenValueDecoder>(
      TokenValueOptions{o.alpha, o.top_k, proposal, rollouts, o.choose, o.commit, o.block, o.min_p,
                        o.kl_budget, o.greedy_rollouts},
      std::make_unique<Continuation>(
          ContinuationOptions{horizon, o.rollouts, o.greedy_rollouts, false, o.block}));
}

const std::map<std::string, Make>& table() {
  static const std::map<std::string, Make> makers{
      {"greedy",
       [](const auto& o) { return std::make_unique<PlainDecoder>(Choose::greedy, o.proposal); }},
      {"sample",
       [](const auto& o) { return std::make_unique<PlainDecoder>(Choose::sample, o.proposal); }},
      {"best-of",
       [](const auto& o) { return std::make_unique<BestOfDecoder>(o.samples, o.proposal); }},
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
         return std::make_unique<OfficialDecoder>(o.alpha, o.top_k, o.horizon);
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

}  // namespace

std::vector<std::string> decoder_names() {
  std::vector<std::string> names;
  for (const auto& [name, make] : table()) names.push_back(name);
  return names;
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
  if (options.name == "args" || options.name == "official") {
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
