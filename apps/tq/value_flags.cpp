#include "value_flags.hpp"

#include "transferq/core/error.hpp"
#include "transferq/core/spec.hpp"
#include "transferq/reward/kind.hpp"

namespace tq::app {
namespace {

Spec value_spec(const DecodingFlags& f) {
  Spec spec = parse_spec(f.value, "--value", {"head", "force"});
  if (!spec.name.empty() || spec.get("head").empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("--value {}: name a file of `tq fit --value` with head=FILE", f.value));
  }
  return spec;
}

}  // namespace

void add_value_flags(CLI::App& command, DecodingFlags& f) {
  command
      .add_option("--value", f.value,
                  "What a candidate is worth is read from a learned value (tq fit --value), and "
                  "nothing is rolled out; force=1 takes one of another model")
      ->option_text("head=FILE");
  command
      .add_option("--screen", f.decoder.screen,
                  "The learned value chooses this many candidates, and they are rolled out")
      ->option_text("N [0]")
      ->check(count());
}

void settle_value(DecodingFlags& f) {
  if (f.value.empty()) return;
  f.decoder.learned = std::make_shared<LearnedValue>(read_value(value_spec(f).get("head")));
  if (f.decoder.screen > 0) return;
  if (f.horizon.value_or(0) > 0) {
    throw Error(ErrorKind::usage,
                fmt::format("--horizon {} rolls out, and --value alone does not; add --screen N, "
                            "the candidates that it lets roll out, or leave out --horizon",
                            *f.horizon));
  }
  f.decoder.horizon = 0;
}

std::vector<std::string> check_learned_value(const DecodingFlags& f, const Policy& roller,
                                             const Reward* reward) {
  if (f.decoder.learned == nullptr) return {};
  check_model(*f.decoder.learned, roller.model(), yes_or_no(value_spec(f), "force", false));
  const ValueFile& file = f.decoder.learned->file();
  std::vector<std::string> out;
  if (reward != nullptr && reward->info().fingerprint != file.reward_identity) {
    out.push_back(fmt::format("the learned value {} was fitted to the reward {}, not to this {}",
                              file.name, file.reward, reward->info().name));
  }
  if (describe_policy(roller) != file.training.policy) {
    out.push_back(
        fmt::format("the learned value {} was fitted on the states of a policy with "
                    "another prompt format, system prompt or adapter",
                    file.name));
  }
  return out;
}

}  // namespace tq::app
