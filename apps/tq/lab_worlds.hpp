// Which worlds a command of `tq lab` works on: files, or drawn by seed.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "transferq/lab/random_world.hpp"

namespace tq::app {

struct WorldFlags {
  std::vector<std::string> files;
  std::optional<std::uint64_t> seed;
  std::size_t worlds = 1;  // of consecutive seeds
  std::optional<std::size_t> vocabulary, length;
  std::string eos;
  std::optional<double> alpha, beta, quality;
  std::optional<std::size_t> top_k;
};

struct NamedWorld {
  std::string name;  // its file, or "seed 7"
  std::uint64_t seed;
  lab::World world;
};

// With `many`, several files or seeds may be given.
void add_world_flags(CLI::App& command, WorldFlags& flags, bool many);

// Throws Error for flags that name no world, or files that hold none.
std::vector<NamedWorld> worlds_of(const WorldFlags& flags);

}  // namespace tq::app
