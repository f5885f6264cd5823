// Decoders by name. A new one adds a row to the table in the source file, and a file of its own.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transferq/decode/cards.hpp"
#include "transferq/decode/decoder.hpp"
#include "transferq/decode/plain.hpp"
#include "transferq/decode/token_value.hpp"
#include "transferq/value/importance.hpp"
#include "transferq/value/learned.hpp"

namespace tq {

// What the baseline's roll-outs say of a token (value/direct.hpp, indirect.hpp, soft.hpp).
enum class Transfer { direct, indirect, soft };

struct DecoderOptions {
  std::string name = "greedy";
  double alpha = 1.0;            // decoding temperature on values; infinity = the proposal itself
  std::size_t top_k = 10;        // candidates a step
  std::size_t horizon = 20;      // tokens of a roll-out behind the candidate
  std::size_t rollouts = 1;      // a candidate
  bool greedy_rollouts = false;  // the likeliest continuation instead of draws
  // N of best-of, soft-best-of and speculative-rejection; all successors of a step of cbs.
  std::size_t samples = 16;
  Proposal proposal = Proposal::baseline;
  Choose choose = Choose::sample;
  std::size_t commit = 1;        // tokens a step keeps: the candidate, then its roll-out's
  double commit_confidence = 0;  // these only up to the first of a smaller probability
  std::size_t block = 1;         // tokens of a candidate
  double min_p = 0;              // candidates have this share of the likeliest's probability
  std::size_t halvings = 0;      // times that half of the candidates are given up on the way
  double halving_errors = 0;     // Z of their confidence bounds (halving.hpp); 0: all of the half
  // Roll out only in the first tokens of a response and the last ones that it may have; both 0:
  // roll out at every step.
  std::size_t first = 0, last = 0;
  Elsewhere elsewhere = Elsewhere::text;  // what other steps do
  double text_weight = 1;  // how much values of the text so far count there: alpha is divided by it
  // A learned value for the decoders tq and cd: in the place of roll-outs, or, with a screen, to
  // choose which candidates roll out. Soft transfer reads its distribution.
  std::shared_ptr<const LearnedValue> learned = nullptr;
  std::size_t screen = 0;  // candidates that it lets roll out; 0: none
  // Nats that a response may be from the reference; chooses alpha.
  std::optional<double> kl_budget = std::nullopt;
  Range range = {};  // of the reward (RewardInfo::range); spares candidates that can't win
  // The reward can't score unfinished responses (RewardInfo::partial): roll-outs go on to the end
  // of the response, whatever the horizon.
  bool finished_only = false;
  Transfer transfer = Transfer::direct;
  double beta = 1.0;  // of indirect and soft: the KL strength with which the baseline was aligned
  WeightOptions weights = {};   // of indirect and soft
  std::size_t chunk = 10;       // tokens between two decisions of cbs and speculative-rejection
  std::size_t beams = 4;        // of cbs, which share its samples evenly
  double rejection_rate = 0.5;  // of speculative-rejection
  // Of cards, but its proposal and beta, which are those above (beta is alpha). It needs a target.
  CardsOptions cards{.target = std::numeric_limits<double>::quiet_NaN()};
};

std::vector<std::string> decoder_names();

// What a person should know of options that are no error, one line each.
std::vector<std::string> warnings(const DecoderOptions& options);

// Throws Error (usage) for an unknown name (the nearest is offered) or options that make no sense.
// `vocabulary` bounds top_k.
std::unique_ptr<Decoder> make_decoder(const DecoderOptions& options, std::size_t vocabulary);

}  // namespace tq
