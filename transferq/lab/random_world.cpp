#include "transferq/lab/random_world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "transferq/core/error.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/core/random.hpp"

namespace tq::lab {
namespace {

// What a draw is for; RandomKey::prompt.
enum class Draw : std::uint32_t { radius, angle, reward, noise, prefix };

double draw(std::uint64_t seed, Draw what, Node node) {
  RandomKey key;
  key.seed = seed;
  key.prompt = static_cast<std::uint32_t>(what);
  key.candidate = static_cast<std::uint32_t>(node);
  return uniform(key);
}

// Box and Muller's.
double normal(std::uint64_t seed, Node node) {
  const double radius = std::sqrt(-2 * std::log1p(-draw(seed, Draw::radius, node)));
  return radius * std::cos(2 * std::numbers::pi * draw(seed, Draw::angle, node));
}

void check(const RandomWorldOptions& o) {
  const auto require = [](bool holds, const std::string& message) {
    if (!holds) throw Error(ErrorKind::usage, message);
  };
  require(o.alpha > 0, fmt::format("alpha {} must be above 0", o.alpha));
  require(o.beta > 0 && std::isfinite(o.beta),
          fmt::format("beta {} must be a number above 0", o.beta));
  require(o.top_k > 0, "top-k 0 leaves no candidate; give 1 or more");
  require(std::abs(o.quality) <= 1,
          fmt::format("a baseline quality of {} is not from -1 to 1", o.quality));
}

}  // namespace

World with_quality(World world, double quality, std::uint64_t seed) {
  const Tree& tree = world.tree;
  for (Node node = 0; node < tree.size(); ++node) {
    if (!tree.leaf(node)) continue;
    world.baseline_reward[node] =
        quality * world.reward[node] + (1 - std::abs(quality)) * draw(seed, Draw::noise, node);
  }
  return world;
}

World random_world(const RandomWorldOptions& o) {
  check(o);
  World world{Tree(o.vocabulary, o.max_tokens, o.end), o.alpha, o.beta, o.top_k, {}, {}, {}, {}};
  const Tree& tree = world.tree;
  Values logits(tree.size(), 0), partial(tree.size(), 0);
  world.reward.assign(tree.size(), 0);
  world.baseline_reward.assign(tree.size(), 0);
  for (Node node = 0; node < tree.size(); ++node) {
    logits[node] = o.sharpness * normal(o.seed, node);
    if (tree.leaf(node)) world.reward[node] = draw(o.seed, Draw::reward, node);
    partial[node] = tree.leaf(node) ? world.reward[node] : draw(o.seed, Draw::prefix, node);
  }
  world.sft = tilted(tree, Values(tree.size(), 0), logits);
  world.prefix_reward = std::move(partial);
  return with_quality(std::move(world), o.quality, o.seed);
}

}  // namespace tq::lab
