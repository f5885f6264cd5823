// tq lab sample: the production decoders run in a world, beside its exact solution.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "flags.hpp"
#include "lab.hpp"
#include "lab_worlds.hpp"
#include "signals.hpp"
#include "terminal.hpp"
#include "transferq/lab/report/sampled.hpp"

namespace tq::app {
namespace {

struct SampleFlags {
  WorldFlags worlds;
  std::size_t runs = 500, rollouts = 8;
  std::uint64_t draws = 0;
  bool json = false;
};

std::string table(const std::vector<lab::SampledRow>& rows, const SampleFlags& f) {
  const std::string expected = fmt::format("N = {}", f.rollouts);
  std::string out = fmt::format("{:<36} {:<7} {:>9} {:>9} {:>9} {:>8} {:>6}\n", "", "", "exact",
                                expected, "sampled", "+-", "off by");
  double most = 0;
  for (const lab::SampledRow& r : rows) {
    most = std::max(most, r.deviation());
    out += fmt::format("{:<36} {:<7} {:>9.4f} {:>9.4f} {:>9.4f} {:>8.4f} {:>6.1f}\n", r.method,
                       r.number, r.exact, r.expected, r.sampled, r.error, r.deviation());
  }
  return out + fmt::format(
                   "\nexact: values are expectations. {}: values are means of {} roll-outs, which "
                   "the laboratory drew.\nsampled: {} runs of the decoders that run on models, "
                   "with the same {}; +- one standard error.\noff by: standard errors between "
                   "the last two; {:.1f} at most, of {} numbers.\n",
                   expected, f.rollouts, f.runs, expected, most, rows.size());
}

nlohmann::json json(const std::vector<lab::SampledRow>& rows) {
  nlohmann::json out = nlohmann::json::array();
  for (const lab::SampledRow& r : rows) {
    out.push_back({{"method", r.method},
                   {"number", r.number},
                   {"exact", r.exact},
                   {"expected", r.expected},
                   {"expected_error", r.expected_error},
                   {"sampled", r.sampled},
                   {"error", r.error},
                   {"deviation", r.deviation()}});
  }
  return out;
}

void run_sample(const SampleFlags& f) {
  const NamedWorld named = worlds_of(f.worlds).front();
  const auto rows = lab::sample(named.world, {f.runs, f.rollouts, f.draws, stop_on_signals()});
  print(f.json ? json(rows).dump(1) + "\n" : table(rows, f));
}

}  // namespace

void add_lab_sample(CLI::App& lab) {
  auto flags = std::make_shared<SampleFlags>();
  CLI::App* command =
      lab.add_subcommand("sample", "The decoders that run on models, beside the exact answers");
  add_world_flags(*command, flags->worlds, false);
  command->add_option("--runs", flags->runs, "Responses of each method")
      ->option_text("N [500]")
      ->check(count());
  command->add_option("--rollouts", flags->rollouts, "Roll-outs a candidate")
      ->option_text("N [8]")
      ->check(count());
  command->add_option("--draws", flags->draws, "Seed of the decoders' draws")
      ->option_text("N [0]")
      ->check(seed_check());
  command->add_flag("--json", flags->json, "Print a list of rows");
  command->footer(
      "Examples:\n"
      "  tq lab sample --seed 7\n"
      "  tq lab sample world.json --runs 2000 --rollouts 32\n");
  command->callback([flags] { run_sample(*flags); });
}

}  // namespace tq::app
