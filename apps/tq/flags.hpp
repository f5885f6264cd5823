// The flags that commands which decode have in common, and the run they describe.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transferq/decode/factory.hpp"
#include "transferq/eval/bench/measure.hpp"
#include "transferq/eval/generator.hpp"
#include "transferq/policy/model_store.hpp"

namespace tq::app {

// What every command that evaluates models has.
struct SessionFlags {
  std::string format = "chat";
  int threads = 0;
  int gpu_layers = -1;
  std::size_t context = 0;
  std::string cache = "f16";
  std::string flash;            // "on" or "off"; "" as tuned (tuning.hpp)
  std::size_t micro_batch = 0;  // 0: as tuned
  std::string setup;
};

struct DecodingFlags : SessionFlags {
  std::string model = "smollm2";
  std::string baseline;
  std::string reward;
  std::string baseline_reward;
  std::string value;
  bool alpha_given = false;
  DecoderOptions decoder;
  std::optional<std::size_t> horizon;  // of the decoder, where it is given
  std::string profile;                 // see profiles.hpp, as for the next
  std::string budget;
  std::size_t max_tokens = 128;
  std::uint64_t seed = 0;
};

// Accepts one of these names; else the message offers the nearest and lists them all.
CLI::Validator one_of(std::vector<std::string> names);

// Binds an option to one of the values of an enumeration.
template <typename Enum>
CLI::Option* add_choice(CLI::App& command, const std::string& flag, Enum& target,
                        const std::map<std::string, Enum>& names, const std::string& help) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : names) keys.push_back(key);
  const CLI::Validator known = one_of(keys);
  return command.add_option(flag, target, help)
      ->transform(CLI::Validator(
          [known, names](std::string& text) {
            std::string wrong = known(text);
            if (wrong.empty()) text = std::to_string(static_cast<int>(names.at(text)));
            return wrong;
          },
          ""))
      ->option_text(fmt::format("{}", fmt::join(keys, "|")));
}

// Accepts whole numbers, 0 or more.
const CLI::Validator& count();
// The same up to 64 bits.
const CLI::Validator& seed_check();

// The help of --reward.
std::string reward_help();

void add_session_flags(CLI::App& command, SessionFlags& flags);
// Throws Error (usage) for a value that a flag doesn't take.
SessionOptions session_options_of(const SessionFlags& flags);
Format format_of(const SessionFlags& flags);

void add_decoding_flags(CLI::App& command, DecodingFlags& flags);

// What the engine takes on this machine for the policy that rolls out, whatever else a step does.
// Throws as prepare() does.
PassTime time_passes(const DecodingFlags& flags, ModelStore& models, std::stop_token stop);

// A run made ready: models loaded, decoder and reward built.
struct Run {
  Setup setup;
  SessionOptions session;
  std::string settings;               // fingerprint of all that can change a result
  std::vector<std::string> warnings;  // what a person should know of it, a line each
};

// Throws Error for anything that can't be decoded with. The setup file was read before.
Run prepare(DecodingFlags& flags, ModelStore& models);

}  // namespace tq::app
