// tq lab sweep: one thing of a world varied at a time, as rows and as a page of plots.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "flags.hpp"
#include "lab.hpp"
#include "lab_worlds.hpp"
#include "signals.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/eval/parallel.hpp"
#include "transferq/lab/report/page.hpp"
#include "write_file.hpp"

namespace tq::app {
namespace {

struct SweepFlags {
  WorldFlags worlds;
  std::vector<std::string> over;
  std::vector<double> values;
  std::size_t repeats = 50;
  std::string out, html;
  bool json = false;
};

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

void check(const SweepFlags& f) {
  const auto refuse = [](const std::string& message) { throw Error(ErrorKind::usage, message); };
  if (!f.values.empty() && f.over.size() != 1) {
    refuse("--values are of one sweep; name it with --over");
  }
  if (f.repeats == 0) refuse("--repeats 0 leaves nothing to average; give 1 or more");
  if (!f.out.empty() && !ends_with(f.out, ".csv") && !ends_with(f.out, ".json")) {
    refuse(fmt::format("--out {} ends neither in .csv nor in .json", f.out));
  }
  if (f.json && !f.out.empty()) refuse("--json is for standard output; --out FILE.json needs none");
  if (!f.out.empty() && f.out == f.html) {
    refuse(fmt::format("--out and --html are both {}; give each a file of its own", f.out));
  }
  for (const std::string& out : {f.out, f.html}) {
    if (!out.empty()) check_out(out);
  }
  for (const std::string& file : f.worlds.files) {
    for (const std::string& out : {f.out, f.html}) {
      std::error_code code;
      if (out.empty() || !std::filesystem::equivalent(file, out, code)) continue;
      refuse(fmt::format("{} holds a world and would be overwritten; choose another path", out));
    }
  }
}

// Every sweep of every world; rows in the order of the worlds.
std::vector<lab::SweepRow> rows_of(const SweepFlags& f, const std::vector<NamedWorld>& worlds,
                                   const std::vector<std::string>& sweeps) {
  const std::stop_token stop = stop_on_signals();
  std::vector<std::vector<lab::SweepRow>> each(worlds.size());
  Progress progress(worlds.size(), 0);
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  run_parallel(worlds.size(), std::min(cores, worlds.size()), stop, [&](std::size_t) {
    return [&](std::size_t i) {
      const NamedWorld& named = worlds[i];
      for (const std::string& name : sweeps) {
        const auto values = f.values.empty() ? lab::sweep_values(name, named.world) : f.values;
        auto rows = lab::sweep(name, named.name, named.world, values, {named.seed, f.repeats});
        std::move(rows.begin(), rows.end(), std::back_inserter(each[i]));
      }
      progress.advance();
    };
  });
  if (stop.stop_requested())
    throw Error(ErrorKind::interrupted, "interrupted; nothing was written");
  std::vector<lab::SweepRow> out;
  for (auto& rows : each) std::move(rows.begin(), rows.end(), std::back_inserter(out));
  return out;
}

std::string command_line(const SweepFlags& f, const std::vector<std::string>& sweeps) {
  const WorldFlags& w = f.worlds;
  std::string out = "tq lab sweep";
  for (const std::string& file : w.files) out += " " + file;
  const auto flag = [&](const char* name, const auto& value) {
    if (value) out += fmt::format(" {} {}", name, *value);
  };
  flag("--seed", w.seed);
  if (w.worlds != 1) out += fmt::format(" --worlds {}", w.worlds);
  flag("--vocabulary", w.vocabulary);
  flag("--length", w.length);
  if (!w.eos.empty()) out += " --eos " + w.eos;
  flag("--quality", w.quality);
  flag("--alpha", w.alpha);
  flag("--beta", w.beta);
  out += fmt::format(" --over {}", fmt::join(sweeps, ","));
  if (!f.values.empty()) out += fmt::format(" --values {}", fmt::join(f.values, ","));
  return out + fmt::format(" --repeats {}", f.repeats);
}

void run_sweep(const SweepFlags& f) {
  check(f);
  const std::vector<NamedWorld> worlds = worlds_of(f.worlds);
  const std::vector<std::string>& sweeps = f.over.empty() ? lab::sweep_names() : f.over;
  const bool prefixes = std::any_of(sweeps.begin(), sweeps.end(), [](const std::string& name) {
    return name == "horizon" || name == "alpha" || name == "rollouts";
  });
  for (const NamedWorld& named : worlds) {
    if (named.world.prefix_reward || !prefixes) continue;
    fmt::print(stderr, "{} has no prefix_reward: args and horizons, which read it, are left out\n",
               named.name);
  }
  const std::vector<lab::SweepRow> rows = rows_of(f, worlds, sweeps);
  if (!f.html.empty()) {
    const lab::Tree& tree = worlds.front().world.tree;
    const std::string about =
        worlds.size() == 1 ? fmt::format("One world, {}: {} tokens, responses of up to {}",
                                         worlds.front().name, tree.vocabulary(), tree.max_tokens())
                           : fmt::format("{} worlds, {} to {}; lines are means over them",
                                         worlds.size(), worlds.front().name, worlds.back().name);
    write_file(f.html,
               lab::page({"Decoders in finite worlds", about, command_line(f, sweeps)}, rows));
  }
  const bool json = f.json || ends_with(f.out, ".json");
  const std::string text = json ? lab::sweep_json(rows).dump(1) + "\n" : lab::sweep_csv(rows);
  if (!f.out.empty()) {
    write_file(f.out, text);
  } else if (f.html.empty() || f.json) {
    print(text);
  }
}

}  // namespace

void add_lab_sweep(CLI::App& lab) {
  auto flags = std::make_shared<SweepFlags>();
  CLI::App* command =
      lab.add_subcommand("sweep", "Vary one thing at a time: rows, and a page of plots");
  add_world_flags(*command, flags->worlds, true);
  command->add_option("--over", flags->over, "What to vary, each alone")
      ->option_text(fmt::format("{} [all]", fmt::join(lab::sweep_names(), ",")))
      ->delimiter(',');
  command->add_option("--values", flags->values, "The values of the one sweep that --over names")
      ->option_text("X,X,...")
      ->delimiter(',');
  command
      ->add_option("--repeats", flags->repeats,
                   "Draws that are averaged for what depends on roll-outs")
      ->option_text("N [50]")
      ->check(count());
  command
      ->add_option("--out", flags->out,
                   "Write the rows there, as the name's end says (without: CSV to standard output)")
      ->option_text("FILE.csv|FILE.json");
  command->add_flag("--json", flags->json, "Print the rows as JSON");
  command->add_option("--html", flags->html, "Write a page of plots that needs no other file")
      ->option_text("FILE.html");
  command->footer(
      "Examples:\n"
      "  tq lab sweep --seed 1 --worlds 40 --html lab.html --out lab.csv\n"
      "  tq lab sweep world.json --over alpha --values 0.1,0.2,0.4\n");
  command->callback([flags] { run_sweep(*flags); });
}

}  // namespace tq::app
