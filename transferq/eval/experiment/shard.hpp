// A part of an experiment: shard 3/16 has the prompts 3, 19, 35, ... of the sample, each with all
// runs and seeds, so that a shard by itself compares runs on equal prompts. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "transferq/policy/prompt.hpp"

namespace tq {

struct Shard {
  std::size_t index = 1, count = 1;
};

// "3/16". Throws Error (usage) for anything else than two numbers, 1 <= index <= count <= 100000.
Shard parse_shard(const std::string& text);
std::string shard_text(const Shard& shard);

// The shards of one count have each prompt exactly once. Throws Error (usage) for a shard without
// any.
std::vector<Prompt> prompts_of(const std::vector<Prompt>& prompts, const Shard& shard);

}  // namespace tq
