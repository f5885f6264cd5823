#include "flags.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "drawing_flags.hpp"
#include "profiles.hpp"
#include "transfer_flags.hpp"
#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/core/text.hpp"
#include "transferq/decode/step_options.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/reward/reward_list.hpp"
#include "tuning.hpp"
#include "value_flags.hpp"

namespace tq::app {
namespace {

// Whether a text is a whole number up to `most`; CLI11 alone takes -1 for a huge one.
std::string check_whole(const std::string& text, std::uint64_t most) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && at == end && value <= most) return "";
  return fmt::format("'{}' is not a whole number from 0 to {}", text, most);
}

std::optional<Policy> baseline_of(const DecodingFlags& f, ModelStore& models) {
  if (f.baseline.empty()) return std::nullopt;
  const std::string same_model = named_model(f.model, "--model");
  return models.policy(f.baseline, "--baseline", format_of(f), same_model);
}

}  // namespace

CLI::Validator one_of(std::vector<std::string> names) {
  return CLI::Validator(
      [names = std::move(names)](std::string& text) -> std::string {
        if (std::find(names.begin(), names.end(), text) != names.end()) return "";
        const std::string near = nearest_name(text, names);
        return fmt::format("'{}' is not one of {}{}", text, fmt::join(names, ", "),
                           near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near));
      },
      "");
}

const CLI::Validator& count() {
  // Products of three such counts still fit 64 bits.
  static const CLI::Validator check([](std::string& text) { return check_whole(text, 2'000'000); },
                                    "");
  return check;
}

std::string reward_help() {
  std::vector<std::string> forms;
  for (const RewardKind& kind : reward_kinds()) {
    forms.push_back(fmt::format("{} ({})", kind.form, kind.summary));
  }
  return fmt::format("What to work towards: {}", fmt::join(forms, "; "));
}

void add_session_flags(CLI::App& command, SessionFlags& f) {
  command
      .add_option("--format", f.format,
                  "chat: the model's chat template; raw: the text as it is, special tokens "
                  "parsed (official is always raw)")
      ->option_text("chat|raw [chat]")
      ->check(one_of({"chat", "raw"}));
  command.add_option("--threads", f.threads, "Threads, at most one a core")
      ->option_text("N [all cores]")
      ->check(count());
  command.add_option("--gpu-layers", f.gpu_layers, "Layers on a GPU, where the engine has one")
      ->option_text("N [all]");
  command
      .add_option("--context", f.context,
                  "Cells of memory a session has, in tokens; what works in one session shares them")
      ->option_text("N [as needed]")
      ->check(count());
  command.add_option("--cache", f.cache, "Precision of the memory")
      ->option_text("f16|f32 [f16]")
      ->check(one_of({"f16", "f32"}));
  command
      .add_option("--flash-attention", f.flash,
                  "Whether the engine uses flash attention: on a GPU it pays, on a CPU not, or as "
                  "`tq bench --tune` has measured")
      ->option_text("on|off [as tuned]")
      ->check(one_of({"on", "off"}));
  command
      .add_option("--micro-batch", f.micro_batch,
                  "Tokens that the engine computes at once, 512 at most")
      ->option_text("N [as tuned]")
      ->check(count());
  command
      .add_option("--setup", f.setup, "Read these flags from a TOML file; the command line wins")
      ->option_text("FILE");
}

SessionOptions session_options_of(const SessionFlags& f) {
  SessionOptions session;
  session.cells = f.context;
  // More threads than cores would wait for each other.
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  session.threads = f.threads > 0 ? std::min(f.threads, cores) : cores;
  session.cache = f.cache == "f32" ? CacheType::f32 : CacheType::f16;
  if (!f.flash.empty()) session.flash = f.flash == "on" ? Flash::on : Flash::off;
  if (f.micro_batch > 0) session.micro_batch = std::min(f.micro_batch, kMicroBatch);
  return session;
}

Format format_of(const SessionFlags& f) { return f.format == "raw" ? Format::raw : Format::chat; }

const CLI::Validator& seed_check() {
  static const CLI::Validator check([](std::string& text) { return check_whole(text, ~0ULL); }, "");
  return check;
}

void add_decoding_flags(CLI::App& command, DecodingFlags& f) {
  DecoderOptions& d = f.decoder;
  command
      .add_option("--model", f.model,
                  "The reference: a name from `tq models` or a GGUF file; more behind commas: "
                  "system=TEXT, lora=FILE, lora-scale=X, control=FILE, control-scale=X")
      ->option_text("LIST [smollm2]");
  command
      .add_option("--baseline", f.baseline,
                  "The aligned policy that rolls out, written like --model; without a name it "
                  "is the same model (system=Be kind). Default: the reference itself")
      ->option_text("LIST");
  command.add_option("--reward", f.reward, reward_help())->option_text("LIST");
  command.add_option("--decoder", d.name, "How tokens are chosen")
      ->option_text(fmt::format("{} [greedy]", fmt::join(decoder_names(), "|")));
  add_profile_flags(command, f.profile, f.budget);
  add_transfer_flags(command, f);
  add_choice<Proposal>(command, "--proposal", d.proposal,
                       {{"baseline", Proposal::baseline}, {"reference", Proposal::reference}},
                       "Whose distribution is re-weighted (default: baseline)");
  add_choice<Choose>(
      command, "--choose", d.choose,
      {{"sample", Choose::sample}, {"greedy", Choose::greedy}, {"gumbel", Choose::gumbel}},
      "Draw from the re-weighted distribution, or take its likeliest token; gumbel draws by the "
      "same law, without roll-outs of candidates that the reward's bounds rule out (default: "
      "sample)");
  command
      .add_option("--alpha", d.alpha,
                  "Decoding temperature on values, above 0: small follows the reward, large "
                  "stays near the proposal, inf is the proposal itself")
      ->option_text("NUMBER [1]")
      ->each([&f](const std::string&) { f.alpha_given = true; });
  command
      .add_option("--kl-budget", d.kl_budget,
                  "Nats that a response may be from the reference: chooses alpha at each step")
      ->option_text("NUMBER [none]");
  command.add_option("--top-k", d.top_k, "Candidate tokens a step")
      ->option_text("N [10]")
      ->check(count());
  command
      .add_option("--min-p", d.min_p,
                  "Candidates have at least this share of the likeliest token's probability; a "
                  "candidate alone is taken without roll-outs")
      ->option_text("NUMBER [0]");
  command
      .add_option("--block", d.block,
                  "Tokens of a candidate: above 1, --top-k blocks are drawn from the proposal")
      ->option_text("N [1]")
      ->check(count());
  command
      .add_option("--commit", d.commit,
                  "Tokens that a step keeps: its candidate, then those of its best roll-out")
      ->option_text("N [1]")
      ->check(count());
  command
      .add_option("--commit-confidence", d.commit_confidence,
                  "These only up to the first of less than this probability; with --rollout-choose "
                  "greedy")
      ->option_text("NUMBER [0]");
  command
      .add_option(
          "--halve", d.halvings,
          "Times that the roll-outs pause and the lower half of the candidates is given up, "
          "at half the horizon, a quarter of it, and so on")
      ->option_text("N [0]")
      ->check(count());
  command
      .add_option(
          "--halve-errors", d.halving_errors,
          "Of the lower half, give up only those whose upper confidence bound, of so many standard "
          "errors, is below the best's lower one; needs --rollouts above 1, drawn")
      ->option_text("Z [0: all]");
  command.add_option("--horizon", f.horizon, "Tokens of a roll-out behind its candidate")
      ->option_text("N [20; official indirect 5]")
      ->check(count());
  command
      .add_option("--last", d.last,
                  "Roll out only in the last N tokens of --max-tokens, and in --first")
      ->option_text("N [all]")
      ->check(count());
  command
      .add_option("--first", d.first,
                  "Roll out only in the first N tokens of a response, and in --last")
      ->option_text("N [all]")
      ->check(count());
  add_choice<Elsewhere>(command, "--elsewhere", d.elsewhere,
                        {{"text", Elsewhere::text}, {"plain", Elsewhere::plain}},
                        "How other steps choose: by the values of the text so far, or plainly, by "
                        "the proposal alone (default: text)");
  command
      .add_option("--text-weight", d.text_weight,
                  "How much the values of the text so far count in these other steps")
      ->option_text("NUMBER [1]");
  command.add_option("--rollouts", d.rollouts, "Roll-outs a candidate")
      ->option_text("N [1]")
      ->check(count());
  add_choice<bool>(command, "--rollout-choose", d.greedy_rollouts,
                   {{"sample", false}, {"greedy", true}},
                   "Draw the roll-outs, or take the likeliest continuation (default: sample)");
  add_value_flags(command, f);
  add_drawing_flags(command, d);
  command.add_option("--max-tokens", f.max_tokens, "Longest response, in tokens")
      ->option_text("N [128]")
      ->check(count());
  command.add_option("--seed", f.seed, "Seed of all draws")
      ->option_text("N [0]")
      ->check(seed_check());
  add_session_flags(command, f);
}

PassTime time_passes(const DecodingFlags& f, ModelStore& models, std::stop_token stop) {
  const Policy reference = models.policy(f.model, "--model", format_of(f));
  SessionOptions session = session_options_of(f);
  apply_tuning(f, reference.model(), session);
  const bool by_baseline = !f.baseline.empty() && f.decoder.name != "cd";
  return measure_passes(by_baseline ? *baseline_of(f, models) : reference, session,
                        std::move(stop));
}

Run prepare(DecodingFlags& f, ModelStore& models) {
  SessionOptions session = session_options_of(f);
  if (f.max_tokens == 0) {
    throw Error(ErrorKind::usage, "--max-tokens 0 leaves no room for an answer; give 1 or more");
  }
  if (f.decoder.kl_budget && f.alpha_given) {
    throw Error(ErrorKind::usage,
                "--kl-budget chooses alpha at each step; leave out --alpha, or it");
  }
  if (f.decoder.name == "official") f.format = "raw";
  settle_transfer(f);
  settle_value(f);
  // Bad flags are told before any model is loaded.
  const Roles roles = make_decoder(f.decoder, static_cast<std::size_t>(-1))->roles();

  if (f.decoder.name == "genarm" && f.baseline.empty()) {
    throw Error(ErrorKind::usage,
                "the decoder genarm follows what an aligned policy prefers to the reference; name "
                "one with --baseline");
  }

  const Format form = format_of(f);
  Policy reference = models.policy(f.model, "--model", form);
  std::optional<Policy> baseline = baseline_of(f, models);
  apply_tuning(f, reference.model(), session);
  const Policy& roller = baseline && roles.grows == Proposal::baseline ? *baseline : reference;
  std::shared_ptr<const Reward> reward;
  if (!f.reward.empty()) {
    reward = make_reward(f.reward, models, roller.shared_model(), form);
  }
  if (f.decoder.name == "official" && reward && !reward->info().whole) {
    throw Error(
        ErrorKind::usage,
        fmt::format("the decoder official scores prompt and response as one text, which the "
                    "reward {} can't; use another decoder",
                    reward->info().name));
  }
  std::vector<std::string> remarks = warnings(f.decoder);
  for (std::string& remark : check_learned_value(f, roller, reward.get())) {
    remarks.push_back(std::move(remark));
  }
  const std::shared_ptr<const Reward> baseline_reward =
      baseline_reward_of(f, models, reference, baseline);
  DecoderOptions options = f.decoder;
  for (const auto& scored : {reward, baseline_reward}) {
    if (scored != nullptr && !scored->info().partial) options.finished_only = true;
  }
  if (reward) options.range = reward->info().range;
  std::shared_ptr<const Decoder> decoder = make_decoder(options, reference.model().vocabulary());

  const DecoderOptions& d = f.decoder;
  const std::string settings = fmt::format(
      "{}|{}|{}|{} {} {} {} {} {} {} {} {} {} {}|{} {} {} {}", describe_policy(reference),
      baseline ? describe_policy(*baseline) : "", reward ? reward->info().fingerprint : "", d.name,
      transfer_settings(d, baseline_reward.get()), options.finished_only,
      static_cast<int>(d.proposal), static_cast<int>(d.choose), d.alpha, d.top_k, d.horizon,
      d.rollouts, d.greedy_rollouts, drawing_settings(d), f.max_tokens, f.seed, f.cache, f.context);
  std::string engine;
  if (session.flash != Flash::automatic) {
    engine += fmt::format(" flash={}", flash_name(session.flash));
  }
  if (session.micro_batch != kMicroBatch) {
    engine += fmt::format(" micro-batch={}", session.micro_batch);
  }
  Setup setup{std::move(reference), std::move(baseline), std::move(reward),
              std::move(decoder),   f.max_tokens,        f.seed,
              baseline_reward};
  return {std::move(setup), std::move(session),
          sha256(settings + describe_steps(d) + engine).substr(0, 16), std::move(remarks)};
}

}  // namespace tq::app
