#include "lab_worlds.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "flags.hpp"
#include "transferq/core/error.hpp"

namespace tq::app {
namespace {

lab::RandomWorldOptions random_options(const WorldFlags& f) {
  lab::RandomWorldOptions o;
  if (f.vocabulary) o.vocabulary = *f.vocabulary;
  if (f.length) o.max_tokens = *f.length;
  if (f.alpha) o.alpha = *f.alpha;
  if (f.beta) o.beta = *f.beta;
  if (f.top_k) o.top_k = *f.top_k;
  if (f.quality) o.quality = *f.quality;
  if (f.eos == "none") return o;
  o.end = static_cast<Token>(o.vocabulary) - 1;
  if (f.eos.empty()) return o;
  Token end = 0;
  const char* const last = f.eos.data() + f.eos.size();
  const auto [at, error] = std::from_chars(f.eos.data(), last, end);
  if (error != std::errc() || at != last) {
    throw Error(ErrorKind::usage,
                fmt::format("--eos {} is neither a token's number nor none", f.eos));
  }
  o.end = end;
  return o;
}

// What the command line says of a file's world, over what the file says.
void override(const WorldFlags& f, lab::World& world) {
  const auto above_0 = [](const char* flag, double value, bool finite) {
    if (value > 0 && (!finite || std::isfinite(value))) return;
    throw Error(ErrorKind::usage, fmt::format("{} {} must be a number above 0", flag, value));
  };
  if (f.alpha) above_0("--alpha", *f.alpha, false);
  if (f.beta) above_0("--beta", *f.beta, true);
  if (f.alpha) world.alpha = *f.alpha;
  if (f.beta) world.beta = *f.beta;
  if (f.top_k && *f.top_k == 0) {
    throw Error(ErrorKind::usage, "--top-k 0 leaves no candidate; give 1 or more");
  }
  if (f.top_k) world.top_k = *f.top_k;
}

}  // namespace

void add_world_flags(CLI::App& command, WorldFlags& f, bool many) {
  CLI::Option* files =
      command
          .add_option("files", f.files,
                      "A world as JSON (see docs/lab.md), or --seed for one at random")
          ->option_text(many ? "[WORLD.json ...]" : "[WORLD.json]");
  if (!many) files->expected(0, 1);
  command.add_option("--seed", f.seed, "Draw the world, by this seed")
      ->option_text("N")
      ->check(seed_check());
  if (many) {
    command.add_option("--worlds", f.worlds, "How many worlds, of the seeds from --seed on")
        ->option_text("N [1]")
        ->check(count());
  }
  command.add_option("--vocabulary", f.vocabulary, "Tokens of a drawn world")
      ->option_text("N [4]")
      ->check(count());
  command.add_option("--length", f.length, "Most tokens of a response of a drawn world")
      ->option_text("N [4]")
      ->check(count());
  command
      .add_option("--eos", f.eos,
                  "The token that ends a response of a drawn world; none: all have --length tokens")
      ->option_text("TOKEN|none [the last]");
  command
      .add_option(
          "--quality", f.quality,
          "Of a drawn world's baseline reward: lambda r + (1 - |lambda|) noise, from -1 to 1")
      ->option_text("NUMBER [0.6]");
  command
      .add_option("--alpha", f.alpha, "Decoding temperature on values, above 0; inf: the proposal")
      ->option_text("NUMBER [the file's, or 0.25]");
  command.add_option("--beta", f.beta, "KL strength of the baselines' alignment, above 0")
      ->option_text("NUMBER [the file's, or 0.4]");
  command.add_option("--top-k", f.top_k, "Candidates of the decoders over few")
      ->option_text("N [the file's, or 2]")
      ->check(count());
}

std::vector<NamedWorld> worlds_of(const WorldFlags& f) {
  std::vector<NamedWorld> out;
  if (f.files.empty() && !f.seed) {
    throw Error(ErrorKind::usage,
                "no world to solve: give a file, or --seed N for one at random; see tq lab --help");
  }
  if (!f.files.empty()) {
    if (f.seed || f.vocabulary || f.length || !f.eos.empty() || f.quality || f.worlds != 1) {
      throw Error(ErrorKind::usage,
                  "--seed, --worlds, --vocabulary, --length, --eos and --quality are of drawn "
                  "worlds; leave them out, or the file");
    }
    for (const std::string& file : f.files) {
      out.push_back({file, 0, lab::read_world(file)});
      override(f, out.back().world);
    }
    return out;
  }
  if (f.worlds == 0)
    throw Error(ErrorKind::usage, "--worlds 0 leaves nothing to do; give 1 or more");
  lab::RandomWorldOptions o = random_options(f);
  for (std::size_t i = 0; i < f.worlds; ++i) {
    o.seed = *f.seed + i;
    out.push_back({fmt::format("seed {}", o.seed), o.seed, lab::random_world(o)});
  }
  return out;
}

}  // namespace tq::app
