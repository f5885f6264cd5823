#include "drawing_flags.hpp"

#include <fmt/format.h>

#include "flags.hpp"

namespace tq::app {

void add_drawing_flags(CLI::App& command, DecoderOptions& d) {
  command
      .add_option("--samples", d.samples,
                  "Responses drawn side by side: that best-of and soft-best-of choose from, that "
                  "speculative-rejection begins with; of cbs, the successors of all beams")
      ->option_text("N [16]")
      ->check(count());
  command
      .add_option("--chunk", d.chunk, "Tokens between two decisions (cbs, speculative-rejection)")
      ->option_text("N [10]")
      ->check(count());
  command.add_option("--beams", d.beams, "Beams, each with samples / beams successors (cbs)")
      ->option_text("N [4]")
      ->check(count());
  command
      .add_option("--rejection-rate", d.rejection_rate,
                  "Share of the growing responses given up at each decision, 0 or more and below 1 "
                  "(speculative-rejection)")
      ->option_text("NUMBER [0.5]");
  command
      .add_option("--target-reward", d.cards.target,
                  "The reward that is good enough for a segment at the end of the response (cards, "
                  "which needs it)")
      ->option_text("NUMBER");
  command
      .add_option("--target-start", d.cards.start,
                  "Where the target begins, between the reward of an empty response (0) and "
                  "--target-reward (1); it rises with the tokens (cards)")
      ->option_text("SHARE [0.5]");
  command
      .add_option("--segment-entropy", d.cards.entropy,
                  "A segment ends where the next token's entropy is this high, in nats; inf: whole "
                  "responses (cards)")
      ->option_text("NUMBER [3]");
  command
      .add_option("--tries", d.cards.tries, "Tries of a segment before the best is taken (cards)")
      ->option_text("N [20]")
      ->check(count());
}

std::string drawing_settings(const DecoderOptions& d) {
  return fmt::format("{} {} {} {} {} {} {} {}", d.samples, d.chunk, d.beams, d.rejection_rate,
                     d.cards.target, d.cards.start, d.cards.entropy, d.cards.tries);
}

}  // namespace tq::app
