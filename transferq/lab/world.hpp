// A finite world ready to be solved: a reference, a target reward and a baseline's reward on every
// response, as numbers on a tree. It comes from a file of the form of engine/tabular/world.hpp, or
// from a seed (random_world.hpp), and is written back in that form.
//
// Thread-safety: plain values.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "transferq/engine/tabular/world.hpp"
#include "transferq/lab/law.hpp"

namespace tq::lab {

struct World {
  Tree tree;
  double alpha = 0;        // decoding temperature on values
  double beta = 0;         // KL strength of the baselines' alignment
  std::size_t top_k = 0;   // of the decoders over few candidates
  Law sft;                 // the reference
  Values reward;           // r at the leaves
  Values baseline_reward;  // r_BL at the leaves
  // r of every prefix. A world may have none: a reward of unfinished responses can't be derived
  // from that of finished ones, so what reads it (ARGS, short horizons) is then left out.
  std::optional<Values> prefix_reward;
};

// The lowest and the highest of a reward over all finished responses, those that the reference
// never reaches included.
struct Range {
  double least = 0, most = 0;
  double width() const { return most - least; }
};
Range range_of(const Tree& tree, const Values& reward);

// A leaf of highest reward among those that the reference may reach: y*. Ties go to the first.
Node best_response(const World& world);

// Throws Error (input), beginning with `what`, for a world with a state or reward that is missing
// or makes no sense. A prefix that the reference never reaches needs neither row nor reward.
World make_world(const tabular::TabularWorld& source, const std::string& what);
World read_world(const std::filesystem::path& path);

// As a file has it, without `cases`.
nlohmann::json world_json(const World& world);

}  // namespace tq::lab
