// The exact solution of a world: the regularised optima, every decoder's law by state, and what
// each is worth. Independent of the decoders that run on models: it shares nothing with them but
// the arithmetic of core/logspace, and is what they are tested against.
//
// Thread-safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transferq/lab/bounds.hpp"
#include "transferq/lab/world.hpp"

namespace tq::lab {

// A method on a world.
struct Case {
  std::string name;
  Law law;                  // pi(z|s)
  std::optional<Values> q;  // what its choices were made from, where they are values
  bool joint = false;       // a law of whole responses (best-of-N) that `law` writes by state
  double expected_reward = 0;
  double kl_to_sft = 0;
  double suboptimality = 0;  // max r - expected_reward
  std::optional<Theorem1> theorem;
};

struct Solution {
  std::vector<Case> cases;
  // Throws Error (usage) for a name there is not.
  const Case& at(const std::string& name) const;
};

struct SolveOptions {
  std::vector<std::size_t> samples{2, 4, 16};  // N of best-of-N
};

Solution solve(const World& world, const SolveOptions& options = {});

// A law with what it is worth.
Case measured(const World& world, std::string name, Law law, std::optional<Values> q = {});

// {"tq_direct": {"policy": {"0.1": [...]}, "q": {"0.1.2": ...}, "expected_reward": ...}}: the
// object `cases` of a world's file. With `terms`, the parts of both bounds, too.
nlohmann::json cases_json(const World& world, const Solution& solution, bool terms = false);

}  // namespace tq::lab
