#include "transfer_flags.hpp"

#include "transferq/core/error.hpp"
#include "transferq/reward/implicit.hpp"
#include "transferq/reward/reward_list.hpp"

namespace tq::app {
namespace {

// A reward's message, which speaks of --reward.
std::string of_baseline(const std::string& list, const std::string& message) {
  const std::string flag = "--reward";
  if (message.starts_with(flag)) return "--baseline-reward" + message.substr(flag.size());
  return fmt::format("--baseline-reward {}: {}", list, message);
}

bool is_implicit(const DecodingFlags& f) {
  return f.baseline_reward.empty() || f.baseline_reward == "implicit";
}

}  // namespace

void add_transfer_flags(CLI::App& command, DecodingFlags& f) {
  DecoderOptions& d = f.decoder;
  add_choice<Transfer>(
      command, "--transfer", d.transfer,
      {{"direct", Transfer::direct}, {"indirect", Transfer::indirect}, {"soft", Transfer::soft}},
      "What the baseline's roll-outs say of a token: direct, their mean reward "
      "(for a baseline aligned to it); indirect, the mean weighted by how much "
      "more they please the reward than the baseline's own; soft, the log of "
      "their mean weight, with beta as alpha (default: direct)");
  command
      .add_option("--baseline-reward", f.baseline_reward,
                  "What the baseline was aligned to, written like --reward, for indirect and soft; "
                  "implicit is beta times the log-ratio of baseline and reference")
      ->option_text("LIST|implicit [implicit]");
  command
      .add_option("--beta", d.beta,
                  "KL strength with which the baseline was aligned, above 0, in units of the "
                  "reward, for indirect and soft: small follows the reward on few roll-outs")
      ->option_text("NUMBER [1]");
  command
      .add_option("--weight-power", d.weights.power,
                  "Temper the roll-outs' weights: w^T, for 0 < T <= 1")
      ->option_text("T [1]");
  command
      .add_option("--weight-clip", d.weights.clip,
                  "Clip the roll-outs' weights at C times their mean, for C >= 1")
      ->option_text("C [inf]");
}

void settle_transfer(DecodingFlags& f) {
  const bool direct = f.decoder.transfer == Transfer::direct;
  const bool official = f.decoder.name == "official";
  if (direct && !f.baseline_reward.empty()) {
    throw Error(ErrorKind::usage,
                "--baseline-reward is not read by direct transfer; leave it out, or add --transfer "
                "indirect or soft");
  }
  const bool indirect = f.decoder.transfer == Transfer::indirect;
  if (official && indirect && is_implicit(f)) {
    throw Error(ErrorKind::usage,
                "indirect transfer by the decoder official compares two rewards of a whole text; "
                "name the baseline's with --baseline-reward LIST");
  }
  // The authors' horizon in their indirect variant.
  f.decoder.horizon = f.horizon.value_or(official && indirect ? 5 : DecoderOptions().horizon);
}

std::shared_ptr<const Reward> baseline_reward_of(const DecodingFlags& f, ModelStore& models,
                                                 const Policy& reference,
                                                 const std::optional<Policy>& baseline) {
  if (f.decoder.transfer == Transfer::direct) return nullptr;
  if (is_implicit(f)) {
    if (!baseline || describe_policy(*baseline) == describe_policy(reference)) return nullptr;
    return make_implicit(*baseline, reference, f.decoder.beta, true);
  }
  std::shared_ptr<const Reward> reward;
  try {
    const Policy& roller = baseline ? *baseline : reference;
    reward = make_reward(f.baseline_reward, models, roller.shared_model(), format_of(f));
  } catch (const Error& e) {
    throw Error(e.kind(), of_baseline(f.baseline_reward, e.what()));
  }
  if (f.decoder.name == "official" && !reward->info().whole) {
    throw Error(ErrorKind::usage,
                fmt::format("the decoder official scores prompt and response as one text, which "
                            "the baseline's reward {} can't; use another decoder",
                            reward->info().name));
  }
  return reward;
}

std::string transfer_settings(const DecoderOptions& d, const Reward* baseline_reward) {
  if (d.transfer == Transfer::direct) return "direct";
  return fmt::format("{} {} {} {} {}", d.transfer == Transfer::soft ? "soft" : "indirect", d.beta,
                     d.weights.power, d.weights.clip,
                     baseline_reward != nullptr ? baseline_reward->info().fingerprint : "0");
}

}  // namespace tq::app
