#include "transferq/decode/step_options.hpp"

#include <fmt/format.h>

#include <cmath>

#include "transferq/decode/require.hpp"

namespace tq {
namespace {

bool weighs_candidates(const std::string& name) {
  return name == "tq" || name == "cd" || name == "args";
}

// The flags that are given as the user would write them, first to last.
void require_weighing(const DecoderOptions& o) {
  const auto refuse = [&](bool given, const std::string& flag) {
    require(!given || weighs_candidates(o.name),
            fmt::format("{} belongs to decoders that weigh candidates by their values: tq, cd and "
                        "args; {} does not",
                        flag, o.name));
  };
  refuse(o.commit != 1, fmt::format("--commit {}", o.commit));
  refuse(o.commit_confidence != 0, fmt::format("--commit-confidence {}", o.commit_confidence));
  refuse(o.block != 1, fmt::format("--block {}", o.block));
  refuse(o.min_p != 0, fmt::format("--min-p {}", o.min_p));
  refuse(o.halvings != 0, fmt::format("--halve {}", o.halvings));
  refuse(o.halving_errors != 0, fmt::format("--halve-errors {}", o.halving_errors));
  refuse(o.first != 0, fmt::format("--first {}", o.first));
  refuse(o.last != 0, fmt::format("--last {}", o.last));
  refuse(o.elsewhere != Elsewhere::text, "--elsewhere");
  refuse(o.text_weight != 1, fmt::format("--text-weight {}", o.text_weight));
  refuse(o.kl_budget.has_value(), "--kl-budget");
}

// A draw that spares candidates has no values of theirs, which these flags need.
void validate_gumbel(const DecoderOptions& o) {
  if (o.choose != Choose::gumbel) return;
  require(
      weighs_candidates(o.name),
      fmt::format("--choose gumbel spares roll-outs of candidates that can't win, in tq, cd and "
                  "args; {} does not weigh candidates: give --choose sample",
                  o.name));
  const auto refuse = [](bool given, const std::string& flag) {
    require(!given,
            fmt::format("--choose gumbel draws one token of all candidates by their bounds, "
                        "and {} changes what is drawn; leave it out, or give --choose "
                        "sample",
                        flag));
  };
  refuse(o.commit != 1, fmt::format("--commit {}", o.commit));
  refuse(o.block != 1, fmt::format("--block {}", o.block));
  refuse(o.halvings != 0, fmt::format("--halve {}", o.halvings));
  refuse(o.learned != nullptr, "--value");
  refuse(o.kl_budget.has_value(), "--kl-budget");
}

void validate_learned(const DecoderOptions& o) {
  require(o.screen == 0 || o.learned != nullptr,
          fmt::format("--screen {} lets a learned value choose which candidates roll out; name one "
                      "with --value head=FILE",
                      o.screen));
  if (o.learned == nullptr) return;
  require(o.name == "tq" || o.name == "cd",
          fmt::format("--value stands for the roll-outs of tq and cd; {} has none", o.name));
  require(o.block == 1, fmt::format("--value reads single tokens, and --block {} weighs blocks; "
                                    "leave one out",
                                    o.block));
  require(o.transfer != Transfer::soft || o.learned->has_levels(),
          "--transfer soft needs the distribution of the reward, which this learned value does not "
          "have; fit it with tq fit --value --levels 16");
  if (o.screen == 0) {
    const auto refuse = [](bool given, const std::string& flag) {
      require(!given, fmt::format("{} acts on roll-outs, and --value alone has none; add --screen "
                                  "N, the candidates that it lets roll out",
                                  flag));
    };
    refuse(o.commit != 1, fmt::format("--commit {}", o.commit));
    refuse(o.halvings != 0, fmt::format("--halve {}", o.halvings));
    refuse(o.first != 0, fmt::format("--first {}", o.first));
    refuse(o.last != 0, fmt::format("--last {}", o.last));
    refuse(o.rollouts != 1, fmt::format("--rollouts {}", o.rollouts));
    return;
  }
  require(o.horizon > 0, fmt::format("--screen {} chooses which candidates roll out, and --horizon "
                                     "0 lets none; leave one out",
                                     o.screen));
  require(!o.kl_budget, fmt::format("--screen {} ranks candidates at a given alpha, and "
                                    "--kl-budget finds one when all are valued; leave one out",
                                    o.screen));
}

// Which steps roll out, and what the others do.
void validate_positions(const DecoderOptions& o) {
  if (o.first == 0 && o.last == 0) {
    require(o.elsewhere == Elsewhere::text,
            "--elsewhere plain is for steps that --first and --last leave without roll-outs; give "
            "one of these, or leave it out");
    require(o.text_weight == 1,
            fmt::format("--text-weight {} is for steps that --first and --last leave without "
                        "roll-outs; give one of these, or a smaller --alpha for all steps",
                        o.text_weight));
    return;
  }
  const std::string flag =
      o.last > 0 ? fmt::format("--last {}", o.last) : fmt::format("--first {}", o.first);
  require(o.name != "args" && o.horizon > 0,
          fmt::format("{} says which steps roll out, and {} has no roll-outs; use tq or cd with a "
                      "--horizon above 0",
                      flag, o.name == "args" ? "args" : "--horizon 0"));
  require(o.elsewhere == Elsewhere::plain || !o.finished_only,
          fmt::format("{} has other steps value the text so far, which this reward can't score; "
                      "add --elsewhere plain, or give --first 0 --last 0 where a profile or setup "
                      "has them",
                      flag));
  require(o.elsewhere == Elsewhere::text || o.block == 1,
          fmt::format("--elsewhere plain chooses single tokens, and --block {} weighs blocks; "
                      "leave one out",
                      o.block));
  require(o.text_weight == 1 || o.elsewhere == Elsewhere::text,
          fmt::format("--text-weight {} weighs the text so far, which --elsewhere plain does not "
                      "read; leave one out",
                      o.text_weight));
  require(o.text_weight == 1 || !o.kl_budget,
          fmt::format("--text-weight {} is a share of alpha, and --kl-budget chooses alpha; leave "
                      "one out",
                      o.text_weight));
}

}  // namespace

void validate_steps(const DecoderOptions& o) {
  require(o.commit > 0, "--commit 0 keeps nothing of a step; give 1 or more");
  require(o.block > 0, "--block 0 leaves no candidate; give 1 or more");
  require(
      o.min_p >= 0 && o.min_p <= 1,
      fmt::format("--min-p {} must be from 0 (no gate) to 1 (the likeliest token alone)", o.min_p));
  require(
      !o.kl_budget || (*o.kl_budget >= 0 && std::isfinite(*o.kl_budget)),
      fmt::format("--kl-budget {} must be a number of nats, 0 or more", o.kl_budget.value_or(0)));
  require(o.text_weight > 0 && std::isfinite(o.text_weight),
          fmt::format("--text-weight {} must be a finite number above 0; --elsewhere plain leaves "
                      "the text so far out",
                      o.text_weight));
  require_weighing(o);
  validate_gumbel(o);
  validate_learned(o);
  require(
      o.commit == 1 || (o.name != "args" && o.horizon > 0),
      fmt::format("--commit {} keeps tokens of a roll-out, and {} has none; use tq or cd with a "
                  "--horizon above 0",
                  o.commit, o.name == "args" ? "args" : "--horizon 0"));
  require(o.commit_confidence >= 0 && o.commit_confidence <= 1,
          fmt::format("--commit-confidence {} must be from 0 (commit all the same) to 1",
                      o.commit_confidence));
  require(o.commit_confidence == 0 || o.commit > 1,
          fmt::format("--commit-confidence {} says where a commit ends, and --commit 1 keeps the "
                      "candidate alone; give the most that a step may keep, such as --commit 8",
                      o.commit_confidence));
  // A draw that ends the commit is drawn again, so the law would be none that the KL is known of.
  require(o.commit_confidence == 0 || o.greedy_rollouts,
          fmt::format("--commit-confidence {} reads how sure the likeliest token is, and roll-outs "
                      "are drawn; add --rollout-choose greedy",
                      o.commit_confidence));
  require(o.block == 1 || o.min_p == 0,
          fmt::format("--min-p {} is a gate for single tokens, which --block {} does not weigh; "
                      "leave one out",
                      o.min_p, o.block));
  require(
      o.block == 1 || o.name != "tq" || o.proposal == Proposal::baseline,
      fmt::format("--block {} draws blocks where they are rolled out, by the baseline; leave out "
                  "--proposal reference, or use cd, which does both by the reference",
                  o.block));
  require(
      o.halvings == 0 || (o.name != "args" && o.horizon > 0),
      fmt::format("--halve {} gives up roll-outs on their way, and {} has none; use tq or cd with "
                  "a --horizon above 0",
                  o.halvings, o.name == "args" ? "args" : "--horizon 0"));
  require(
      o.halvings == 0 || o.block == 1,
      fmt::format("--halve {} ranks single tokens, which --block {} does not weigh; leave one out",
                  o.halvings, o.block));
  require(
      o.halvings == 0 || !o.kl_budget,
      fmt::format("--halve {} ranks candidates at a given alpha, and --kl-budget finds one when "
                  "all are valued; leave one out",
                  o.halvings));
  require(
      o.halvings == 0 || !o.finished_only,
      fmt::format("--halve {} compares roll-outs that are not finished, which this reward can't "
                  "score; leave it out, or give --halve 0 where a profile or setup has it",
                  o.halvings));
  require(o.halving_errors >= 0 && std::isfinite(o.halving_errors),
          fmt::format("--halve-errors {} must be a number of standard errors, 0 or more",
                      o.halving_errors));
  require(
      o.halving_errors == 0 || o.halvings > 0,
      fmt::format("--halve-errors {} says which of the lower half --halve gives up; add --halve "
                  "3, or give --halve-errors 0 where a setup has it",
                  o.halving_errors));
  require(o.halving_errors == 0 || (o.rollouts > 1 && !o.greedy_rollouts),
          fmt::format("--halve-errors {} needs several drawn roll-outs of a candidate to know its "
                      "error; give --rollouts 4 --rollout-choose sample, or leave it out",
                      o.halving_errors));
  require(o.halving_errors == 0 || o.transfer == Transfer::direct,
          fmt::format("--halve-errors {} is of values that are means of rewards, and those of "
                      "indirect and soft transfer are weighted; leave it out",
                      o.halving_errors));
  require(!o.kl_budget || o.choose == Choose::sample,
          "--kl-budget bounds the KL of a law that is drawn from, and --choose greedy draws "
          "nothing; leave one out");
  validate_positions(o);
  require(!o.kl_budget || o.transfer != Transfer::soft,
          "--kl-budget chooses alpha, and --transfer soft draws at its --beta; leave one out");
}

std::string describe_steps(const DecoderOptions& o) {
  std::string out;
  if (o.commit != 1) out += fmt::format(" commit={}", o.commit);
  if (o.commit_confidence != 0) {
    out += fmt::format(" commit-confidence={}", o.commit_confidence);
  }
  if (o.block != 1) out += fmt::format(" block={}", o.block);
  if (o.min_p != 0) out += fmt::format(" min-p={}", o.min_p);
  if (o.halvings != 0) out += fmt::format(" halve={}", o.halvings);
  if (o.halving_errors != 0) out += fmt::format(" halve-errors={}", o.halving_errors);
  if (o.first != 0) out += fmt::format(" first={}", o.first);
  if (o.last != 0) out += fmt::format(" last={}", o.last);
  if (o.elsewhere == Elsewhere::plain) out += " elsewhere=plain";
  if (o.text_weight != 1) out += fmt::format(" text-weight={}", o.text_weight);
  if (o.learned != nullptr) out += fmt::format(" value={}", o.learned->fingerprint());
  if (o.screen != 0) out += fmt::format(" screen={}", o.screen);
  if (o.kl_budget) out += fmt::format(" kl-budget={}", *o.kl_budget);
  return out;
}

}  // namespace tq
