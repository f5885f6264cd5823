#include "transferq/decode/options.hpp"

#include <fmt/format.h>

#include <cmath>

#include "transferq/decode/require.hpp"
#include "transferq/decode/step_options.hpp"

namespace tq {
namespace {

void validate_transfer(const DecoderOptions& o) {
  require(o.beta > 0 && std::isfinite(o.beta),
          fmt::format("--beta {} must be a finite number above 0", o.beta));
  require(o.weights.power > 0 && o.weights.power <= 1,
          fmt::format("--weight-power {} must be above 0 and at most 1 (weights as they are)",
                      o.weights.power));
  require(o.weights.clip >= 1,
          fmt::format("--weight-clip {} must be 1 or more, times the mean weight; inf clips none",
                      o.weights.clip));
  if (o.transfer == Transfer::direct) return;
  const bool soft = o.transfer == Transfer::soft;
  require(o.name == "tq" || (o.name == "official" && !soft),
          fmt::format("the decoder {} has no {} transfer; {}", o.name, soft ? "soft" : "indirect",
                      soft ? "--decoder tq has" : "tq and official have"));
  require(!soft || o.proposal == Proposal::baseline,
          "--transfer soft weighs what the baseline proposes; leave out --proposal reference");
}

// The options of the decoders that draw responses, segments or chunks.
void validate_drawing(const DecoderOptions& o) {
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

void validate(const DecoderOptions& o, std::size_t vocabulary) {
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
  validate_transfer(o);
  validate_drawing(o);
}

}  // namespace tq
