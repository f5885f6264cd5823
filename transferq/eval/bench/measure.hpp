// What a decoder's tokens cost, in token evaluations and in seconds, and what the engine alone
// reaches on batches of the same shape: measured in one run, a prompt's own evaluation apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "transferq/decode/factory.hpp"
#include "transferq/eval/generator.hpp"

namespace tq {

struct BenchOptions {
  std::size_t tokens = 16;   // to be measured of each prompt, at least one step of the decoder
  std::size_t workers = 1;   // prompts decoded at the same time
  SessionOptions session{};  // of each worker
  std::stop_token stop{};
};

struct Measured {
  std::size_t tokens = 0;           // measured, of all prompts
  double evaluations = 0;           // a token
  double seconds = 0;               // a token of one prompt, the others going on beside it
  double evaluations_a_second = 0;  // of all prompts at work together
  double tokens_a_second = 0;  // of all prompts from start to end, their own evaluation included
  double first_token = 0;      // seconds until a prompt's first token is there, on average
  std::optional<double> peak_mib;  // resident memory at its highest, if the system tells
};

// Decodes each prompt until enough tokens are measured or the response ends. The first step is not:
// its time is the prompt's. A decoder that hands out its response as a whole is measured as a
// whole. Throws Error as Worker::generate does.
Measured measure_decoding(const Setup& setup, const std::vector<Prompt>& prompts,
                          const BenchOptions& options);

// How many branches a decoder feeds together, and for how many tokens.
struct BatchShape {
  std::size_t width = 1, depth = 1;
};
// Of the roll-outs, candidates or responses that are most of a decoder's work.
BatchShape batch_shape(const DecoderOptions& options);

// The engine alone: `depth` tokens on each of `width` branches behind the prompt, over and over,
// until about `evaluations` tokens of each prompt were evaluated. `seconds`, `tokens` and what
// follows from them are those of token evaluations. Throws Error (capacity) when a prompt does not
// fit the model.
Measured measure_engine(const Policy& policy, const std::vector<Prompt>& prompts, BatchShape shape,
                        std::size_t evaluations, const BenchOptions& options);

// What a forward pass takes: so many seconds, and so many more for each branch in it.
struct PassTime {
  double pass = 0, branch = 0;
};
// From plain decoding and ten branches side by side, behind a short prompt: a second or so.
PassTime measure_passes(const Policy& policy, const SessionOptions& session, std::stop_token stop);

// Plain English of about `tokens` tokens as the policy reads it, at most; another text for each
// `number`. Throws Error (usage) when that is less than the shortest prompt there is.
Prompt bench_prompt(const Policy& policy, std::size_t tokens, std::size_t number);

}  // namespace tq
