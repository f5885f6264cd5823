// tq lab: finite worlds, in which the theory can be computed and looked at.
#include "lab.hpp"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "commands.hpp"
#include "flags.hpp"
#include "lab_worlds.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/lab/solve.hpp"

namespace tq::app {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  tq lab solve --seed 7 --vocabulary 4 --length 4\n"
    "      a world at random: what every decoder is worth in it, and both bounds\n"
    "  tq lab sweep --seed 1 --worlds 40 --html lab.html --out lab.csv\n"
    "      what alpha, beta, the baseline, roll-outs and horizon do, on 40 worlds, as plots and "
    "rows\n"
    "  tq lab sample --seed 7\n"
    "      the decoders that run on models, beside the exact answers\n"
    "  tq lab world --seed 7 --vocabulary 3 --length 2\n"
    "      the same kind of world as a file, to be changed by hand\n";

struct SolveFlags {
  WorldFlags worlds;
  std::vector<std::size_t> samples{2, 4, 16};
  bool json = false, terms = false;
};

std::string about(const lab::World& world) {
  const lab::Tree& tree = world.tree;
  const lab::Node best = lab::best_response(world);
  return fmt::format(
      "{} tokens, responses of up to {}{}, {} of them; alpha {:g}, beta {:g}\n"
      "best response {}, reward {:.4f}\n",
      tree.vocabulary(), tree.max_tokens(),
      tree.end() ? fmt::format(" (token {} ends one)", *tree.end()) : "", tree.leaves(),
      world.alpha, world.beta, tabular::format_prefix(tree.prefix(best)), world.reward[best]);
}

std::string table(const lab::World& world, const lab::Solution& solution) {
  std::string out =
      fmt::format("{}\n{:<36} {:>9} {:>9} {:>9}\n", about(world), "", "reward", "KL", "gap");
  for (const lab::Case& c : solution.cases) {
    out += fmt::format("{:<36} {:>9.4f} {:>9.4f} {:>9.4f}\n", c.name, c.expected_reward,
                       c.kl_to_sft, c.suboptimality);
  }
  const lab::Case& direct = solution.at("tq_direct");
  const lab::Theorem1& t = *direct.theorem;
  const auto row = [](const char* what, double value) {
    return fmt::format("  {:<44} {:>10.4f}\n", what, value);
  };
  out += "\nTheorem 1, of tq_direct:\n";
  out += fmt::format("gap {:.4f} <= {:.4f}\n", direct.suboptimality, t.suboptimality_bound());
  out += row("-beta log rho_sft(y*)", t.best_response);
  out += row("-beta KL(rho*||rho_sft)", -t.regularisation);
  out += row("-alpha sum_t E[KL(pi_alg||pi_BL)]", -t.decoding);
  out += fmt::format("KL {:.4f} <= {:.4f}\n", direct.kl_to_sft, t.kl_bound());
  out += row("r_max / beta", t.kl_alignment);
  out += row("T r_max / alpha", t.kl_decoding);
  return out;
}

void run_solve(const SolveFlags& f) {
  for (const std::size_t n : f.samples) {
    if (n == 0) throw Error(ErrorKind::usage, "--samples 0 leaves nothing to choose from");
  }
  if (f.terms && !f.json) {
    throw Error(ErrorKind::usage, "--terms is for --json; the table has the terms anyway");
  }
  const NamedWorld named = worlds_of(f.worlds).front();
  if (!named.world.prefix_reward) {
    fmt::print(stderr, "{} has no prefix_reward: args, which reads it, is left out\n", named.name);
  }
  const lab::Solution solution = lab::solve(named.world, {f.samples});
  print(f.json ? lab::cases_json(named.world, solution, f.terms).dump(1) + "\n"
               : table(named.world, solution));
}

void add_solve(CLI::App& lab) {
  auto flags = std::make_shared<SolveFlags>();
  CLI::App* command = lab.add_subcommand("solve", "Every decoder's law and worth, exactly");
  add_world_flags(*command, flags->worlds, false);
  command->add_option("--samples", flags->samples, "The N of best-of-N")
      ->option_text("N,N,... [2,4,16]")
      ->delimiter(',')
      ->check(count());
  command->add_flag("--json", flags->json, "Print the object `cases`, laws and values included");
  command->add_flag("--terms", flags->terms, "With --json: the terms of both bounds, too");
  command->footer(
      "Examples:\n"
      "  tq lab solve --seed 7 --vocabulary 4 --length 4\n"
      "  tq lab solve world.json --json\n");
  command->callback([flags] { run_solve(*flags); });
}

void add_world(CLI::App& lab) {
  auto flags = std::make_shared<WorldFlags>();
  CLI::App* command = lab.add_subcommand("world", "Write a drawn world down, as JSON");
  add_world_flags(*command, *flags, false);
  command->footer("Example:\n  tq lab world --seed 7 --vocabulary 3 --length 2\n");
  command->callback(
      [flags] { print(lab::world_json(worlds_of(*flags).front().world).dump(1) + "\n"); });
}

}  // namespace

void add_lab(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("lab", "Finite worlds: solve them exactly, and see the theory in them");
  add_solve(*command);
  add_lab_sweep(*command);
  add_lab_sample(*command);
  add_world(*command);
  command->require_subcommand(0, 1);
  command->footer(kExamples);
  command->callback([command] {
    if (!command->get_subcommands().empty()) return;
    throw Error(ErrorKind::usage, "tq lab what? solve, sweep, sample or world; see tq lab --help");
  });
}

}  // namespace tq::app
