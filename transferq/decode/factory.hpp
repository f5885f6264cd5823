// Decoders by name. A new one adds a row to the table in the source file, and a file of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transferq/decode/decoder.hpp"
#include "transferq/decode/plain.hpp"
#include "transferq/decode/token_value.hpp"

namespace tq {

struct DecoderOptions {
  std::string name = "greedy";
  double alpha = 1.0;            // decoding temperature on values; infinity = the proposal itself
  std::size_t top_k = 10;        // candidates a step
  std::size_t horizon = 20;      // tokens of a roll-out behind the candidate
  std::size_t rollouts = 1;      // a candidate
  bool greedy_rollouts = false;  // the likeliest continuation instead of draws
  std::size_t samples = 16;      // N of best-of
  Proposal proposal = Proposal::baseline;
  Choose choose = Choose::sample;
  std::size_t commit = 1;  // tokens a step keeps: the candidate, then its roll-out's
  std::size_t block = 1;   // tokens of a candidate
  double min_p = 0;        // candidates have this share of the likeliest's probability
  std::optional<double> kl_budget =
      std::nullopt;  // nats a response may be from the reference; chooses alpha
  // The reward can't score unfinished responses (RewardInfo::partial): roll-outs go on to the end
  // of the response, whatever the horizon.
  bool finished_only = false;
};

std::vector<std::string> decoder_names();

// Throws Error (usage) for an unknown name (the nearest is offered) or options that make no sense.
// `vocabulary` bounds top_k.
std::unique_ptr<Decoder> make_decoder(const DecoderOptions& options, std::size_t vocabulary);

}  // namespace tq
